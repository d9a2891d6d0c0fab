import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  type FoundRelease,
  findRelease,
  isReleaseName,
  isReleaseOf,
  NO_HISTORY,
  nameRelease,
  type ReleaseHistory,
  traceReleaseHistory,
} from "../../src/domain/release.ts";
import { words } from "../support/words.ts";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const NOW = new Date("2026-11-21T20:30:00.999Z");

describe("nameRelease", () => {
  test("joins the UTC time and the first twelve digits of the commit", () => {
    expect(nameRelease(COMMIT, NOW, [])).toBe("20261121T203000Z-0123456789ab");
  });

  test("uses the next second when a release of any commit has this one", () => {
    expect(nameRelease(COMMIT, NOW, ["20261121T203000Z-ffffffffffff"])).toBe("20261121T203001Z-0123456789ab");
  });

  test("sorts after the newest release even if the clock was set back", () => {
    const taken = ["20261231T235959Z-ffffffffffff", "20200101T000000Z-ffffffffffff"];
    expect(nameRelease(COMMIT, NOW, taken)).toBe("20270101T000000Z-0123456789ab");
  });

  test("sorts after a release from the future and ignores names without a valid time", () => {
    const taken = ["20990101T000000Z-ffffffffffff", "99999999T999999Z-ffffffffffff", "lost+found"];
    expect(nameRelease(COMMIT, NOW, taken)).toBe("20990101T000001Z-0123456789ab");
  });

  test("sorts releases in the order of their creation, for any times", () => {
    const moment = fc.date({
      min: new Date("2026-01-01T00:00:00Z"),
      max: new Date("2026-01-01T00:01:00Z"),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(fc.array(moment, { maxLength: 20 }), (moments) => {
        const names: string[] = [];
        for (const now of moments) names.push(nameRelease(COMMIT, now, names));
        expect(names).toEqual([...new Set(names)].sort());
        expect(names.every(isReleaseName)).toBe(true);
      }),
    );
  });
});

describe("isReleaseName", () => {
  test("returns false for names of another form", () => {
    for (const name of [
      "",
      "current",
      "shared",
      ".20261121T203000Z-0123456789ab",
      "20261121T203000Z-0123456789ab~",
      "20261121T203000Z-0123456789ab\n",
      "20261121T203000Z-0123456789AB",
      "20261121T203000Z-0123456789abc",
      "../20261121T203000Z-0123456789ab",
      "99999999T999999Z-0123456789ab",
    ]) {
      expect(isReleaseName(name)).toBe(false);
    }
  });
});

describe("findRelease", () => {
  const [A, B, C] = ["01", "02", "03"].map((day) => `202611${day}T203000Z-0123456789ab`) as [
    string,
    string,
    string,
  ];
  const found = (release: string) => ({ kind: "found", release }) as const;
  /** Asserts that no release is found, which releases the reason names, and its wording. */
  const expectAbsent = (
    result: FoundRelease,
    releases: readonly string[],
    mentions: readonly (string | RegExp)[] = [],
  ) => {
    if (result.kind !== "absent") throw new Error(`found ${result.release}`);
    const names = Array.from(result.reason.matchAll(/\b\d{8}T\d{6}Z-[0-9a-f]{12}\b/g), ([name]) => name);
    expect(names).toEqual([...releases]);
    for (const mention of mentions) expect(result.reason).toMatch(mention);
    expect(words(result.reason)).toMatchSnapshot();
  };
  const choose = (
    name: string | null,
    live: string | null,
    complete: readonly string[],
    history: Partial<ReleaseHistory> = {},
  ) => findRelease(name, { live, complete, history: { ...NO_HISTORY, ...history } });

  test("finds the newest release before the live one, for any order of names", () => {
    expect(choose(null, C, [A, C, B])).toEqual(found(B));
    expect(choose(null, B, [C, B, A])).toEqual(found(A));
  });

  test("finds a release by its name, including the live one", () => {
    expect(choose(C, A, [A, B, C])).toEqual(found(C));
    expect(choose(A, A, [A])).toEqual(found(A));
  });

  test("reports that no release precedes the live one", () => {
    expectAbsent(choose(null, A, [A, B, C]), [A]);
  });

  test("lists the releases, newest first, when the name is unknown", () => {
    expectAbsent(choose("no-such-release", A, [A, B]), [B, A], ["no-such-release"]);
    expectAbsent(choose("no-such-release", null, []), [], ["no-such-release"]);
  });

  test("lists at most ten releases and the number of the others", () => {
    const many = Array.from({ length: 12 }, (_, n) => `202611${n + 10}T203000Z-0123456789ab`);
    expectAbsent(choose("no-such-release", null, many), many.toReversed().slice(0, 10), [/\b2\b/]);
  });

  test("prefers the release that was live before, and ignores releases that are not on disk", () => {
    expect(choose(null, C, [A, B, C], { liveReleases: [A, C] })).toEqual(found(A));
    expect(choose(null, A, [A, B, C], { liveReleases: [C, A] })).toEqual(found(C));
    expect(choose(null, C, [A, C], { liveReleases: [A, B, C] })).toEqual(found(A));
    expect(choose(null, C, [A, B, C], { liveReleases: [A] })).toEqual(found(A));
  });

  test("prefers releases that were not rolled back", () => {
    expect(choose(null, C, [A, B, C], { liveReleases: [C], abandonedReleases: [B] })).toEqual(found(A));
    expect(choose(null, C, [B, C], { liveReleases: [C], abandonedReleases: [B] })).toEqual(found(B));
    expect(choose(B, C, [A, B, C], { liveReleases: [C], abandonedReleases: [B] })).toEqual(found(B));
  });

  test("lists the releases when no release is live", () => {
    expectAbsent(choose(null, null, [A]), [A]);
  });
});

describe("isReleaseOf", () => {
  test("compares the first twelve digits of the commit", () => {
    expect(isReleaseOf("20261121T203000Z-0123456789ab", COMMIT)).toBe(true);
    expect(isReleaseOf("20261121T203000Z-0123456789ac", COMMIT)).toBe(false);
    expect(isReleaseOf("elsewhere-0123456789ab", COMMIT)).toBe(false);
  });
});

describe("traceReleaseHistory", () => {
  /** A deployment of a release. Its first letter is the commit: `b` and `b2` are releases of the same one. */
  const deployed = (release: string) =>
    ({ trigger: "push", commit: release[0] ?? "", release, previousCommit: null }) as const;
  const rolledBack = (from: string, to: string) =>
    ({ trigger: "rollback", commit: to[0] ?? "", release: to, previousCommit: from[0] ?? "" }) as const;
  const trace = (...oldestFirst: Parameters<typeof traceReleaseHistory>[0]) =>
    traceReleaseHistory(oldestFirst.toReversed());

  test("lists the releases in the order in which they went live", () => {
    expect(trace()).toEqual(NO_HISTORY);
    expect(trace(deployed("a"), deployed("b"))).toEqual({
      rolledBackCommits: [],
      liveReleases: ["a", "b"],
      abandonedReleases: [],
    });
  });

  test("continues from the release of a rollback and drops the later ones", () => {
    const [a, b, c] = [deployed("a"), deployed("b"), deployed("c")];
    expect(trace(a, b, rolledBack("b", "a"))).toEqual({
      rolledBackCommits: ["b"],
      liveReleases: ["a"],
      abandonedReleases: ["b"],
    });
    const twice = trace(a, b, c, rolledBack("c", "b"), rolledBack("b", "a"), deployed("d"));
    expect(twice).toEqual({
      rolledBackCommits: ["b", "c"],
      liveReleases: ["a", "d"],
      abandonedReleases: ["b", "c"],
    });
    const named = trace(a, b, c, rolledBack("c", "a"), deployed("d"));
    expect(named).toEqual({
      rolledBackCommits: ["c"],
      liveReleases: ["a", "d"],
      abandonedReleases: ["b", "c"],
    });
  });

  test("marks a commit as rolled back only if its last release was rolled back", () => {
    const deployments = [
      deployed("a"),
      deployed("b"),
      deployed("b2"),
      rolledBack("b2", "b"),
      deployed("c"),
    ] as const;
    expect(trace(...deployments)).toEqual({
      rolledBackCommits: [],
      liveReleases: ["a", "b", "c"],
      abandonedReleases: ["b2"],
    });
  });

  test("does not mark a commit that went live again", () => {
    const redeployed = trace(deployed("a"), deployed("b"), rolledBack("b", "a"), deployed("b2"));
    expect(redeployed).toEqual({
      rolledBackCommits: [],
      liveReleases: ["a", "b2"],
      abandonedReleases: ["b"],
    });
    const restored = trace(deployed("a"), deployed("b"), rolledBack("b", "a"), rolledBack("a", "b"));
    expect(restored).toEqual({ rolledBackCommits: ["a"], liveReleases: ["a", "b"], abandonedReleases: [] });
  });

  test("ignores deployments without a release", () => {
    expect(trace({ ...deployed("a"), release: null }).liveReleases).toEqual([]);
  });
});
