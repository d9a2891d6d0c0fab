import { describe, expect, test } from "bun:test";
import { parseRange } from "../../src/domain/address.ts";
import type {
  PublishedList,
  PublishedRanges,
  PublishedRangesStore,
} from "../../src/domain/published-ranges.ts";
import type { Source } from "../../src/domain/source.ts";
import { createAllowances } from "../../src/flow/allow.ts";
import { github } from "../../src/providers/github.ts";
import { logInto, secretOf } from "../support/public.ts";
import { until } from "../support/until.ts";
import { ManualClock } from "./manual-clock.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Keeps ranges in memory. */
class KeptRanges implements PublishedRangesStore {
  readonly lists = new Map<PublishedList, PublishedRanges>();
  fault: Error | null = null;

  async keepRanges(list: PublishedList, ranges: readonly string[], at: Date): Promise<void> {
    if (this.fault !== null) throw this.fault;
    this.lists.set(list, { ranges, at });
  }

  async readRanges(list: PublishedList): Promise<PublishedRanges | null> {
    if (this.fault !== null) throw this.fault;
    return this.lists.get(list) ?? null;
  }
}

function sourceThatAllows(
  ranges: readonly string[] | null,
  published: readonly PublishedList[] = [],
): Source {
  return {
    name: "hook",
    provider: "github",
    path: "/hook",
    dialect: github.openWith(secretOf("It's a Secret to Everybody")),
    print: false,
    onRedelivery: "run",
    allow: ranges === null ? null : { ranges: ranges.map(parseRange), published },
  };
}

const fromGithub = sourceThatAllows([], ["github"]);

/** Allowances whose built-in list, made at the start of the test, is 198.51.100.0/24. */
function open(builtInAge = 0) {
  const clock = new ManualClock();
  const store = new KeptRanges();
  const log: string[] = [];
  const asked: Date[] = [];
  const published = { answer: async (): Promise<readonly string[]> => ["192.0.2.0/24"] };
  const builtIn = {
    github: { ranges: ["198.51.100.0/24"], at: new Date(clock.now().getTime() - builtInAge) },
  };
  const fetch = () => {
    asked.push(clock.now());
    return published.answer();
  };
  const allowances = createAllowances({ fetch, builtIn, store, clock, log: logInto(log) });
  const ending = new AbortController();
  /** Resolves when every list was looked at. */
  const looked = () => until(() => clock.sleeping === 1);
  const start = async () => {
    const ended = allowances.keepFresh([fromGithub], ending.signal);
    await looked();
    return {
      async end() {
        ending.abort();
        await ended;
      },
    };
  };
  const advance = async (milliseconds: number) => {
    clock.advance(milliseconds);
    await looked();
  };
  return { allowances, clock, store, log, asked, published, ending, start, advance };
}

describe("isAllowed", () => {
  test("lets everybody try where the source allows all, known or not", () => {
    const { allowances } = open();
    const source = sourceThatAllows(null);
    expect(allowances.isAllowed(source, "203.0.113.1")).toBe(true);
    expect(allowances.isAllowed(source, null)).toBe(true);
  });

  test("lets in those in a range or a published list, and nobody else, nor an unknown one", () => {
    const { allowances, log } = open();
    const source = sourceThatAllows(["192.0.2.0/24", "2001:db8::/32"], ["github"]);
    for (const address of ["192.0.2.1", "2001:db8::1", "198.51.100.1"]) {
      expect(allowances.isAllowed(source, address)).toBe(true);
    }
    for (const address of ["192.0.3.1", "2001:db9::1", null]) {
      expect(allowances.isAllowed(source, address)).toBe(false);
    }
    expect(log).toEqual([]);
  });

  test("says how old the list is when it refuses somebody by an outdated one, but not without end", () => {
    const { allowances, log } = open(8 * DAY);
    expect(allowances.isAllowed(fromGithub, "198.51.100.1")).toBe(true);
    expect(log).toEqual([]);
    for (let refused = 0; refused < 100; refused++) {
      expect(allowances.isAllowed(fromGithub, "192.0.2.1")).toBe(false);
    }
    expect(log).toHaveLength(10);
    expect(log[0]).toContain("which is 8 days old: a delivery may be lost");
    expect(log[0]).toContain("192.0.2.1");
  });

  test("says nothing of an outdated list that the source does not use", () => {
    const { allowances, log } = open(8 * DAY);
    expect(allowances.isAllowed(sourceThatAllows(["192.0.2.0/24"]), "203.0.113.1")).toBe(false);
    expect(log).toEqual([]);
  });
});

describe("load", () => {
  test("takes up what was kept", async () => {
    const { allowances, store, clock } = open(2 * DAY);
    await store.keepRanges("github", ["192.0.2.0/24"], new Date(clock.now().getTime() - DAY));
    await allowances.load();
    expect(allowances.isAllowed(fromGithub, "192.0.2.1")).toBe(true);
    expect(allowances.isAllowed(fromGithub, "198.51.100.1")).toBe(false);
  });

  test.each([
    ["older than the built-in list", ["192.0.2.0/24"], 3 * DAY],
    ["empty", [], DAY],
    ["no list of ranges", ["192.0.2.0/24", "nonsense"], DAY],
  ])("leaves the built-in list where the kept one is %s", async (_what, ranges, age) => {
    const { allowances, store, clock } = open(2 * DAY);
    await store.keepRanges("github", ranges, new Date(clock.now().getTime() - age));
    await allowances.load();
    expect(allowances.isAllowed(fromGithub, "198.51.100.1")).toBe(true);
    expect(allowances.isAllowed(fromGithub, "192.0.2.1")).toBe(false);
  });

  test("leaves the built-in list, and says so, when the store cannot be read", async () => {
    const { allowances, store, log } = open();
    store.fault = new Error("the disk is gone");
    await allowances.load();
    expect(allowances.isAllowed(fromGithub, "198.51.100.1")).toBe(true);
    expect(log).toEqual([expect.stringContaining("could not read the kept list")]);
  });
});

describe("keepFresh", () => {
  test("asks nobody when no source uses a list", async () => {
    const { allowances, asked, ending } = open(8 * DAY);
    await allowances.keepFresh([sourceThatAllows(null), sourceThatAllows(["192.0.2.1"])], ending.signal);
    expect(asked).toEqual([]);
  });

  test("fetches a list that is older than a day at once, then daily, and keeps it with its time", async () => {
    const { allowances, clock, store, log, asked, published, start, advance } = open(2 * DAY);
    const { end } = await start();
    const first = clock.now();
    expect(asked).toEqual([first]);
    expect(store.lists.get("github")).toEqual({ ranges: ["192.0.2.0/24"], at: first });
    expect(allowances.isAllowed(fromGithub, "192.0.2.1")).toBe(true);
    expect(allowances.isAllowed(fromGithub, "198.51.100.1")).toBe(false);
    await advance(DAY - HOUR);
    expect(asked).toHaveLength(1);
    published.answer = async () => ["2001:db8::/32"];
    await advance(HOUR);
    expect(asked).toHaveLength(2);
    expect(allowances.isAllowed(fromGithub, "2001:db8::1")).toBe(true);
    expect(log).toHaveLength(2);
    await end();
  });

  test("does not fetch one that is younger", async () => {
    const { asked, start, advance } = open(DAY - HOUR);
    const { end } = await start();
    expect(asked).toEqual([]);
    await advance(HOUR);
    expect(asked).toHaveLength(1);
    await end();
  });

  test("tries again an hour after a failure, with the old list in use", async () => {
    const { allowances, store, log, asked, published, start, advance } = open(2 * DAY);
    const { answer } = published;
    published.answer = () => Promise.reject(new Error("no way there"));
    const { end } = await start();
    expect(allowances.isAllowed(fromGithub, "198.51.100.1")).toBe(true);
    expect(store.lists.size).toBe(0);
    expect(log).toEqual([expect.stringContaining("no way there")]);
    published.answer = answer;
    await advance(HOUR);
    expect(asked).toHaveLength(2);
    expect(allowances.isAllowed(fromGithub, "192.0.2.1")).toBe(true);
    await end();
  });

  test.each([
    ["empty", []],
    ["for everybody", ["192.0.2.0/24", "0.0.0.0/0"]],
    ["for half of everybody", ["128.0.0.0/1"]],
    ["for every IPv6 address", ["::/0"]],
    ["no list of ranges", ["192.0.2.0/24", "everywhere"]],
  ])("keeps the old list, and says so, when the new one is %s", async (_what, ranges) => {
    const { allowances, store, log, published, start } = open(2 * DAY);
    published.answer = async () => ranges;
    const { end } = await start();
    expect(allowances.isAllowed(fromGithub, "198.51.100.1")).toBe(true);
    for (const address of ["192.0.2.1", "203.0.113.1", "2001:db8::1"]) {
      expect(allowances.isAllowed(fromGithub, address)).toBe(false);
    }
    expect(store.lists.size).toBe(0);
    expect(log).toEqual([expect.stringContaining("keeping the old one")]);
    await end();
  });

  test("uses what it fetched although the store cannot keep it, and says so", async () => {
    const { allowances, store, log, start } = open(2 * DAY);
    store.fault = new Error("the disk is full");
    const { end } = await start();
    expect(allowances.isAllowed(fromGithub, "192.0.2.1")).toBe(true);
    expect(log).toContainEqual(expect.stringContaining("the disk is full"));
    await end();
  });

  test("says once a day that a list is older than a week", async () => {
    const { log, published, start, advance } = open(8 * DAY);
    published.answer = () => Promise.reject(new Error("no way there"));
    const outdated = () => log.filter((line) => line.includes("deliveries from newer ones are refused"));
    const { end } = await start();
    expect(outdated()).toEqual([expect.stringContaining("is 8 days old")]);
    for (let hour = 0; hour < 23; hour++) await advance(HOUR);
    expect(outdated()).toHaveLength(1);
    await advance(HOUR);
    expect(outdated()).toEqual([expect.anything(), expect.stringContaining("is 9 days old")]);
    await end();
  });

  test("fetches a list that seems to come from the future, as the clock was set back", async () => {
    const { asked, start } = open(-DAY);
    const { end } = await start();
    expect(asked).toHaveLength(1);
    await end();
  });

  test("takes up and tells nothing any more once it is ended", async () => {
    const { allowances, store, log, published, ending } = open(2 * DAY);
    const { promise, resolve } = Promise.withResolvers<readonly string[]>();
    published.answer = () => promise;
    const ended = allowances.keepFresh([fromGithub], ending.signal);
    ending.abort();
    resolve(["192.0.2.0/24"]);
    await ended;
    expect(store.lists.size).toBe(0);
    expect(allowances.isAllowed(fromGithub, "192.0.2.1")).toBe(false);
    expect(log).toEqual([]);
  });
});
