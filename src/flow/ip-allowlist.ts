import {
  findRangesProblem,
  type PublishedList,
  type PublishedRanges,
  type PublishedRangesStore,
} from "../domain/published-ranges.ts";
import type { Source } from "../domain/source.ts";
import { runEvery } from "../lib/clock.ts";
import { isWithin, parseRange, type Range } from "../lib/ip-address.ts";
import { createThrottledLog } from "../lib/log.ts";
import type { FlowServices } from "./services.ts";

/** Checks from which addresses a source accepts requests, and keeps the published lists up to date. */
export interface IpAllowlist {
  /**
   * Whether the source accepts requests from this normalised address; null when it is not known. Logs a refusal that an
   * outdated list may have caused.
   */
  isAllowed(source: Source, address: string | null): boolean;
  /** Loads the stored lists, before the first request. Logs an error of the store and uses the built-in lists. */
  load(): Promise<void>;
  /**
   * Downloads the lists that these sources use: at once when they are older than a day, then daily, an hour after a
   * failure. Resolves when `signal` is aborted, or at once when they use none.
   */
  keepFresh(sources: readonly Source[], signal: AbortSignal): Promise<void>;
}

export type AllowlistServices = Pick<FlowServices, "clock" | "log"> & {
  readonly store: PublishedRangesStore;
  /** Downloads a list from its publisher. */
  readonly fetch: (list: PublishedList, signal: AbortSignal) => Promise<readonly string[]>;
  /** The ranges of each list until the first download. */
  readonly builtIn: Readonly<Record<PublishedList, PublishedRanges>>;
};

interface CurrentList {
  readonly ranges: readonly Range[];
  readonly at: Date;
}

const UNKNOWN_LIST: CurrentList = { ranges: [], at: new Date(0) };

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Milliseconds. An older list may lack networks that its publisher announced and uses now. */
const OUTDATED_AFTER = 7 * DAY;

/** Creates the {@link IpAllowlist}, with the built-in lists until others are loaded or downloaded. */
export function createIpAllowlist(services: AllowlistServices): IpAllowlist {
  const { builtIn, store, clock, log } = services;
  const lists = Object.keys(builtIn);
  const logThrottled = createThrottledLog(log, clock);
  const current = new Map(Object.entries(builtIn).map(([list, ranges]) => [list, parseRanges(ranges)]));
  const warnedAt = new Map<PublishedList, number>();

  const find = (list: PublishedList): CurrentList => current.get(list) ?? UNKNOWN_LIST;
  const ageOf = (list: PublishedList): number => clock.now().getTime() - find(list).at.getTime();

  async function load(list: PublishedList): Promise<void> {
    try {
      const stored = await store.readRanges(list);
      // After an upgrade the built-in list can be newer than the last downloaded one.
      if (stored === null || stored.at <= find(list).at) return;
      const problem = findRangesProblem(stored.ranges);
      if (problem === null) current.set(list, parseRanges(stored));
      else log.warn({ list }, `the stored list of ${list}'s ranges ${problem}; using the built-in list`);
    } catch (error) {
      log.warn({ list, err: error }, `could not read the stored list of ${list}'s ranges`);
    }
  }

  async function refresh(list: PublishedList, signal: AbortSignal): Promise<void> {
    try {
      const ranges = await services.fetch(list, signal);
      if (signal.aborted) return;
      const problem = findRangesProblem(ranges);
      if (problem !== null) {
        log.warn({ list }, `the downloaded list of ${list}'s ranges ${problem}; using the previous list`);
        return;
      }
      const at = clock.now();
      current.set(list, parseRanges({ ranges, at }));
      log.info({ list, ranges: ranges.length }, `downloaded the list of ${list}'s ranges`);
      await store.storeRanges(list, ranges, at);
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ list, err: error }, `could not download or store the list of ${list}'s ranges`);
    }
  }

  /** Warns once a day, also when no address was refused. */
  function warnIfOutdated(list: PublishedList): void {
    const now = clock.now().getTime();
    if (ageOf(list) <= OUTDATED_AFTER || now - (warnedAt.get(list) ?? -Infinity) < DAY) return;
    warnedAt.set(list, now);
    const age_days = inDays(ageOf(list));
    log.warn(
      { list, age_days },
      `the list of ${list}'s ranges is ${age_days} days old, and deliveries from newer ranges are refused; ` +
        `check that ${list}_ranges_url can be reached`,
    );
  }

  return {
    isAllowed({ name, allow }, address) {
      if (allow === null) return true;
      if (address === null) return false;
      if (isWithin(address, allow.ranges)) return true;
      if (allow.published.some((list) => isWithin(address, find(list).ranges))) return true;
      for (const list of allow.published.filter((each) => ageOf(each) > OUTDATED_AFTER)) {
        const age_days = inDays(ageOf(list));
        logThrottled(
          { source: name, client: address, list, age_days },
          `refused an address that is not in the list of ${list}'s ranges, which is ${age_days} days old; a delivery may be lost`,
        );
      }
      return false;
    },
    async load() {
      await Promise.all(lists.map(load));
    },
    async keepFresh(sources, signal) {
      const used = lists.filter((list) => sources.some(({ allow }) => allow?.published.includes(list)));
      const check = async (list: PublishedList) => {
        const age = ageOf(list);
        // A negative age means that the clock was set back.
        if (age >= DAY || age < 0) await refresh(list, signal);
        if (!signal.aborted) warnIfOutdated(list);
      };
      await Promise.all(used.map((list) => runEvery(HOUR, () => check(list), clock, signal)));
    },
  };
}

function parseRanges({ ranges, at }: PublishedRanges): CurrentList {
  return { ranges: ranges.map(parseRange), at };
}

function inDays(milliseconds: number): number {
  return Math.floor(milliseconds / DAY);
}
