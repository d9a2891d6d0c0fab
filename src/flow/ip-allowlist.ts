import {
  findRangesProblem,
  type PublishedList,
  type PublishedRanges,
  type PublishedRangesStore,
} from "../domain/published-ranges.ts";
import type { Source } from "../domain/source.ts";
import { runEvery } from "../lib/interval.ts";
import { isWithin, parseRange, type Range } from "../lib/ip-address.ts";
import { createThrottledLog } from "../lib/throttled-log.ts";
import type { FlowServices } from "./services.ts";

/** Knows from which addresses requests may come to a source, and keeps the published lists of them fresh. */
export interface IpAllowlist {
  /**
   * Whether a request may come from this address, which is normalised, or null when it is not known. A refusal for
   * which an outdated list may be to blame is told in the log.
   */
  isAllowed(source: Source, address: string | null): boolean;
  /** Takes up the lists that the store kept. For before the first request; a store that fails is told in the log. */
  load(): Promise<void>;
  /**
   * Fetches the lists that these sources use: at once when they are older than a day, then daily, an hour after a
   * failure. Resolves when `signal` is aborted, or at once when they use none.
   */
  keepFresh(sources: readonly Source[], signal: AbortSignal): Promise<void>;
}

/** The services of the allowlist: where lists are stored, what each holds until it is downloaded, and how to download it. */
export type AllowlistServices = Pick<FlowServices, "clock" | "log"> & {
  readonly store: PublishedRangesStore;
  /** Asks the publisher. */
  readonly fetch: (list: PublishedList, signal: AbortSignal) => Promise<readonly string[]>;
  /** The ranges of a list until it is fetched for the first time. */
  readonly builtIn: Readonly<Record<PublishedList, PublishedRanges>>;
};

/** A list as it is in use. */
interface Current {
  readonly ranges: readonly Range[];
  readonly at: Date;
}

/** In place of a list that is not known. */
const NOTHING: Current = { ranges: [], at: new Date(0) };

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** From this age on, in milliseconds, a list may lack networks that its publisher announced and uses now. */
const OUTDATED_AFTER = 7 * DAY;

/** Makes the {@link IpAllowlist}, with the built-in lists until others are loaded or fetched. */
export function createIpAllowlist({ fetch, builtIn, store, clock, log }: AllowlistServices): IpAllowlist {
  const lists = Object.keys(builtIn);
  const complain = createThrottledLog(log, clock);
  const current = new Map(Object.entries(builtIn).map(([list, ranges]) => [list, takeUp(ranges)]));
  const warnedAt = new Map<PublishedList, number>();

  const listOf = (name: PublishedList): Current => current.get(name) ?? NOTHING;
  const ageOf = (name: PublishedList): number => clock.now().getTime() - listOf(name).at.getTime();

  async function load(list: PublishedList): Promise<void> {
    try {
      const kept = await store.readRanges(list);
      // A newer executable may know better than what an older one fetched last.
      if (kept === null || kept.at <= listOf(list).at) return;
      const flaw = findRangesProblem(kept.ranges);
      if (flaw === null) current.set(list, takeUp(kept));
      else log.warn({ list }, `the kept list of ${list}'s ranges ${flaw}: not using it`);
    } catch (error) {
      log.warn({ list, err: error }, `could not read the kept list of ${list}'s ranges`);
    }
  }

  async function refresh(list: PublishedList, signal: AbortSignal): Promise<void> {
    try {
      const ranges = await fetch(list, signal);
      if (signal.aborted) return;
      const flaw = findRangesProblem(ranges);
      if (flaw !== null) {
        log.warn({ list }, `the fetched list of ${list}'s ranges ${flaw}: keeping the old one`);
        return;
      }
      const at = clock.now();
      current.set(list, takeUp({ ranges, at }));
      log.info({ list, ranges: ranges.length }, `fetched the list of ${list}'s ranges`);
      await store.keepRanges(list, ranges, at);
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ list, err: error }, `could not fetch or keep the list of ${list}'s ranges`);
    }
  }

  /** Says once a day that a list is outdated, be it used or not. */
  function warnOfAge(list: PublishedList): void {
    const now = clock.now().getTime();
    if (ageOf(list) <= OUTDATED_AFTER || now - (warnedAt.get(list) ?? -Infinity) < DAY) return;
    warnedAt.set(list, now);
    log.warn(
      { list, age_days: inDays(ageOf(list)) },
      `the list of ${list}'s ranges is ${inDays(ageOf(list))} days old: deliveries from newer ones are refused; ` +
        `can ${list}_ranges_url be reached?`,
    );
  }

  return {
    isAllowed({ name, allow }, address) {
      if (allow === null) return true;
      if (address === null) return false;
      if (isWithin(address, allow.ranges)) return true;
      if (allow.published.some((list) => isWithin(address, listOf(list).ranges))) return true;
      for (const list of allow.published.filter((each) => ageOf(each) > OUTDATED_AFTER)) {
        const age = inDays(ageOf(list));
        complain(
          { source: name, client: address, list, age_days: age },
          `refused an address that the list of ${list}'s ranges lacks, which is ${age} days old: a delivery may be lost`,
        );
      }
      return false;
    },
    async load() {
      await Promise.all(lists.map(load));
    },
    async keepFresh(sources, signal) {
      const used = lists.filter((list) => sources.some(({ allow }) => allow?.published.includes(list)));
      const look = async (list: PublishedList) => {
        const age = ageOf(list);
        // Below zero the clock was set back, and the age is not known.
        if (age >= DAY || age < 0) await refresh(list, signal);
        if (!signal.aborted) warnOfAge(list);
      };
      await Promise.all(used.map((list) => runEvery(HOUR, () => look(list), clock, signal)));
    },
  };
}

function takeUp({ ranges, at }: PublishedRanges): Current {
  return { ranges: ranges.map(parseRange), at };
}

function inDays(milliseconds: number): number {
  return Math.floor(milliseconds / DAY);
}
