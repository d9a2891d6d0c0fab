import { describe, expect, test } from "bun:test";
import type {
  PublishedList,
  PublishedRanges,
  PublishedRangesStore,
} from "../../src/domain/published-ranges.ts";
import type { Source } from "../../src/domain/source.ts";
import { createIpAllowlist } from "../../src/flow/ip-allowlist.ts";
import { parseRange } from "../../src/lib/ip-address.ts";
import { github } from "../../src/providers/github/index.ts";
import { TestClock } from "../support/clock.ts";
import { secretOf } from "../support/public.ts";
import { until } from "../support/until.ts";
import { numbersIn } from "../support/words.ts";
import { RecordedLog } from "./recorded-log.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** A store in memory that fails while `fault` is set. */
class MemoryRanges implements PublishedRangesStore {
  readonly lists = new Map<PublishedList, PublishedRanges>();
  fault: Error | null = null;

  async storeRanges(list: PublishedList, ranges: readonly string[], at: Date): Promise<void> {
    if (this.fault !== null) throw this.fault;
    this.lists.set(list, { ranges, at });
  }

  async readRanges(list: PublishedList): Promise<PublishedRanges | null> {
    if (this.fault !== null) throw this.fault;
    return this.lists.get(list) ?? null;
  }
}

function sourceWithAllowlist(
  ranges: readonly string[] | null,
  published: readonly PublishedList[] = [],
): Source {
  return {
    name: "hook",
    provider: "github",
    path: "/hook",
    handler: github.createHandlerWithSecret(secretOf("It's a Secret to Everybody")),
    print: false,
    keepHeaders: [],
    answer: { kind: "receipt" },
    onRedelivery: "run",
    allow: ranges === null ? null : { ranges: ranges.map(parseRange), published },
  };
}

const fromGithub = sourceWithAllowlist([], ["github"]);

/** An IP allowlist with the built-in list 198.51.100.0/24, which is `builtInAge` milliseconds old. */
function open(builtInAge = 0) {
  const clock = new TestClock();
  const store = new MemoryRanges();
  const log = new RecordedLog();
  const fetchedAt: Date[] = [];
  const publisher = { respond: async (): Promise<readonly string[]> => ["192.0.2.0/24"] };
  const builtIn = {
    github: { ranges: ["198.51.100.0/24"], at: new Date(clock.now().getTime() - builtInAge) },
  };
  const fetch = () => {
    fetchedAt.push(clock.now());
    return publisher.respond();
  };
  const allowlist = createIpAllowlist({ fetch, builtIn, store, clock, log });
  const stopping = new AbortController();
  /** Resolves when every list has been checked. */
  const checked = () => until(() => clock.sleeping === 1);
  const start = async () => {
    const ended = allowlist.keepFresh([fromGithub], stopping.signal);
    await checked();
    return {
      async end() {
        stopping.abort();
        await ended;
      },
    };
  };
  const advance = async (milliseconds: number) => {
    clock.advance(milliseconds);
    await checked();
  };
  return { allowlist, clock, store, log, fetchedAt, publisher, stopping, start, advance };
}

describe("checking an address against the allowlist", () => {
  test("allows every address, including unknown ones, when the source has no allowlist", () => {
    const { allowlist } = open();
    const source = sourceWithAllowlist(null);
    expect(allowlist.isAllowed(source, "203.0.113.1")).toBe(true);
    expect(allowlist.isAllowed(source, null)).toBe(true);
  });

  test("allows only addresses in a configured range or in a published list", () => {
    const { allowlist, log } = open();
    const source = sourceWithAllowlist(["192.0.2.0/24", "2001:db8::/32"], ["github"]);
    for (const address of ["192.0.2.1", "2001:db8::1", "198.51.100.1"]) {
      expect(allowlist.isAllowed(source, address)).toBe(true);
    }
    for (const address of ["192.0.3.1", "2001:db9::1", null]) {
      expect(allowlist.isAllowed(source, address)).toBe(false);
    }
    expect(log.entries).toEqual([]);
  });

  test("logs the age of an outdated list when it rejects an address, at a limited rate", () => {
    const { allowlist, log } = open(8 * DAY);
    expect(allowlist.isAllowed(fromGithub, "198.51.100.1")).toBe(true);
    expect(log.entries).toEqual([]);
    for (let rejected = 0; rejected < 100; rejected++) {
      expect(allowlist.isAllowed(fromGithub, "192.0.2.1")).toBe(false);
    }
    expect(log.entries).toHaveLength(10);
    expect(log.entries[0]).toMatchObject({
      level: "warn",
      fields: { source: "hook", client: "192.0.2.1", list: "github", age_days: 8 },
    });
    expect(numbersIn(log.messages[0])).toEqual([8]);
    expect(log.messages[0]).toMatchSnapshot();
  });

  test("logs nothing about an outdated list that the source does not use", () => {
    const { allowlist, log } = open(8 * DAY);
    expect(allowlist.isAllowed(sourceWithAllowlist(["192.0.2.0/24"]), "203.0.113.1")).toBe(false);
    expect(log.entries).toEqual([]);
  });
});

describe("loading the stored allowlist", () => {
  test("uses the stored list", async () => {
    const { allowlist, store, clock } = open(2 * DAY);
    await store.storeRanges("github", ["192.0.2.0/24"], new Date(clock.now().getTime() - DAY));
    await allowlist.load();
    expect(allowlist.isAllowed(fromGithub, "192.0.2.1")).toBe(true);
    expect(allowlist.isAllowed(fromGithub, "198.51.100.1")).toBe(false);
  });

  test.each([
    ["older than the built-in list", ["192.0.2.0/24"], 3 * DAY],
    ["empty", [], DAY],
    ["invalid", ["192.0.2.0/24", "nonsense"], DAY],
  ])("uses the built-in list when the stored one is %s", async (_what, ranges, age) => {
    const { allowlist, store, clock } = open(2 * DAY);
    await store.storeRanges("github", ranges, new Date(clock.now().getTime() - age));
    await allowlist.load();
    expect(allowlist.isAllowed(fromGithub, "198.51.100.1")).toBe(true);
    expect(allowlist.isAllowed(fromGithub, "192.0.2.1")).toBe(false);
  });

  test("uses the built-in list and logs a warning when the store cannot be read", async () => {
    const { allowlist, store, log } = open();
    store.fault = new Error("the disk is gone");
    await allowlist.load();
    expect(allowlist.isAllowed(fromGithub, "198.51.100.1")).toBe(true);
    expect(log.entries).toMatchObject([
      { level: "warn", fields: { list: "github", err: { message: "the disk is gone" } } },
    ]);
    expect(log.messages).toMatchSnapshot();
  });
});

describe("refreshing the published allowlist", () => {
  test("fetches nothing when no source uses a list", async () => {
    const { allowlist, fetchedAt, stopping } = open(8 * DAY);
    await allowlist.keepFresh(
      [sourceWithAllowlist(null), sourceWithAllowlist(["192.0.2.1"])],
      stopping.signal,
    );
    expect(fetchedAt).toEqual([]);
  });

  test("fetches a list older than a day at once, then daily, and stores it with its time", async () => {
    const { allowlist, clock, store, log, fetchedAt, publisher, start, advance } = open(2 * DAY);
    const { end } = await start();
    const first = clock.now();
    expect(fetchedAt).toEqual([first]);
    expect(store.lists.get("github")).toEqual({ ranges: ["192.0.2.0/24"], at: first });
    expect(allowlist.isAllowed(fromGithub, "192.0.2.1")).toBe(true);
    expect(allowlist.isAllowed(fromGithub, "198.51.100.1")).toBe(false);
    await advance(DAY - HOUR);
    expect(fetchedAt).toHaveLength(1);
    publisher.respond = async () => ["2001:db8::/32"];
    await advance(HOUR);
    expect(fetchedAt).toHaveLength(2);
    expect(allowlist.isAllowed(fromGithub, "2001:db8::1")).toBe(true);
    expect(log.entries).toHaveLength(2);
    await end();
  });

  test("does not fetch a list that is younger than a day", async () => {
    const { fetchedAt, start, advance } = open(DAY - HOUR);
    const { end } = await start();
    expect(fetchedAt).toEqual([]);
    await advance(HOUR);
    expect(fetchedAt).toHaveLength(1);
    await end();
  });

  test("retries an hour after a failure and uses the old list until then", async () => {
    const { allowlist, store, log, fetchedAt, publisher, start, advance } = open(2 * DAY);
    const { respond } = publisher;
    publisher.respond = () => Promise.reject(new Error("no route"));
    const { end } = await start();
    expect(allowlist.isAllowed(fromGithub, "198.51.100.1")).toBe(true);
    expect(store.lists.size).toBe(0);
    expect(log.entries).toMatchObject([
      { level: "warn", fields: { list: "github", err: { message: "no route" } } },
    ]);
    expect(log.messages).toMatchSnapshot();
    publisher.respond = respond;
    await advance(HOUR);
    expect(fetchedAt).toHaveLength(2);
    expect(allowlist.isAllowed(fromGithub, "192.0.2.1")).toBe(true);
    await end();
  });

  test.each([
    ["is empty", []],
    ["contains every address", ["192.0.2.0/24", "0.0.0.0/0"]],
    ["contains half of all addresses", ["128.0.0.0/1"]],
    ["contains every IPv6 address", ["::/0"]],
    ["is invalid", ["192.0.2.0/24", "everywhere"]],
  ])("keeps the old list and logs a warning when the new one %s", async (_what, ranges) => {
    const { allowlist, store, log, publisher, start } = open(2 * DAY);
    publisher.respond = async () => ranges;
    const { end } = await start();
    expect(allowlist.isAllowed(fromGithub, "198.51.100.1")).toBe(true);
    for (const address of ["192.0.2.1", "203.0.113.1", "2001:db8::1"]) {
      expect(allowlist.isAllowed(fromGithub, address)).toBe(false);
    }
    expect(store.lists.size).toBe(0);
    expect(log.entries).toMatchObject([{ level: "warn", fields: { list: "github" } }]);
    expect(log.messages).toMatchSnapshot();
    await end();
  });

  test("uses the fetched list and logs a warning when the store cannot save it", async () => {
    const { allowlist, store, log, start } = open(2 * DAY);
    store.fault = new Error("the disk is full");
    const { end } = await start();
    expect(allowlist.isAllowed(fromGithub, "192.0.2.1")).toBe(true);
    expect(log.entries).toMatchObject([
      { level: "info" },
      { level: "warn", fields: { list: "github", err: { message: "the disk is full" } } },
    ]);
    expect(log.messages).toMatchSnapshot();
    await end();
  });

  test("logs a warning once a day while a list is older than a week", async () => {
    const { log, publisher, start, advance } = open(8 * DAY);
    publisher.respond = () => Promise.reject(new Error("no route"));
    const outdated = () => log.entries.filter(({ fields }) => fields.age_days !== undefined);
    const { end } = await start();
    expect(outdated()).toMatchObject([{ level: "warn", fields: { list: "github", age_days: 8 } }]);
    for (let hour = 0; hour < 23; hour++) await advance(HOUR);
    expect(outdated()).toHaveLength(1);
    await advance(HOUR);
    const messages = outdated().map(({ message }) => message);
    expect(outdated().map(({ fields }) => fields.age_days)).toEqual([8, 9]);
    expect(messages.map(numbersIn)).toEqual([[8], [9]]);
    expect(messages).toMatchSnapshot();
    await end();
  });

  test("fetches a list whose time is in the future because the clock was set back", async () => {
    const { fetchedAt, start } = open(-DAY);
    const { end } = await start();
    expect(fetchedAt).toHaveLength(1);
    await end();
  });

  test("ignores a list that arrives after it was stopped", async () => {
    const { allowlist, store, log, publisher, stopping } = open(2 * DAY);
    const { promise, resolve } = Promise.withResolvers<readonly string[]>();
    publisher.respond = () => promise;
    const ended = allowlist.keepFresh([fromGithub], stopping.signal);
    stopping.abort();
    resolve(["192.0.2.0/24"]);
    await ended;
    expect(store.lists.size).toBe(0);
    expect(allowlist.isAllowed(fromGithub, "192.0.2.1")).toBe(false);
    expect(log.entries).toEqual([]);
  });
});
