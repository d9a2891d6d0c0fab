import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  findRelease,
  type History,
  isReleaseName,
  isReleaseOf,
  NO_HISTORY,
  nameRelease,
  traceHistory,
} from "../../src/domain/release.ts";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const NOW = new Date("2026-11-21T20:30:00.999Z");

describe("nameRelease", () => {
  test("is the time in UTC and twelve digits of the commit", () => {
    expect(nameRelease(COMMIT, NOW, [])).toBe("20261121T203000Z-0123456789ab");
  });

  test("takes the next free second when this one is taken, by whatever commit", () => {
    expect(nameRelease(COMMIT, NOW, ["20261121T203000Z-ffffffffffff"])).toBe("20261121T203001Z-0123456789ab");
  });

  test("comes after the newest release even when the clock was set back", () => {
    const taken = ["20261231T235959Z-ffffffffffff", "20200101T000000Z-ffffffffffff"];
    expect(nameRelease(COMMIT, NOW, taken)).toBe("20270101T000000Z-0123456789ab");
  });

  test("comes after a release of the far future at once, and passes over names that tell no time", () => {
    const taken = ["20990101T000000Z-ffffffffffff", "99999999T999999Z-ffffffffffff", "lost+found"];
    expect(nameRelease(COMMIT, NOW, taken)).toBe("20990101T000001Z-0123456789ab");
  });

  test("sorts the releases as they were made, at whatever times", () => {
    const moment = fc.date({
      min: new Date("2026-01-01T00:00:00Z"),
      max: new Date("2026-01-01T00:01:00Z"),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(fc.array(moment, { maxLength: 20 }), (moments) => {
        const made: string[] = [];
        for (const now of moments) made.push(nameRelease(COMMIT, now, made));
        expect(made).toEqual([...new Set(made)].sort());
        expect(made.every(isReleaseName)).toBe(true);
      }),
    );
  });
});

describe("isReleaseName", () => {
  test("is so for nothing that we did not name", () => {
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
  const absent = (reason: string) => ({ kind: "absent", reason }) as const;
  const choose = (
    name: string | null,
    live: string | null,
    complete: readonly string[],
    history: Partial<History> = {},
  ) => findRelease(name, { live, complete, history: { ...NO_HISTORY, ...history } });

  test("finds the newest that is older than the live one, in whatever order they come", () => {
    expect(choose(null, C, [A, C, B])).toEqual(found(B));
    expect(choose(null, B, [C, B, A])).toEqual(found(A));
  });

  test("finds one by its name, the live one too", () => {
    expect(choose(C, A, [A, B, C])).toEqual(found(C));
    expect(choose(A, A, [A])).toEqual(found(A));
  });

  test("says that there is none before the live one", () => {
    expect(choose(null, A, [A, B, C])).toEqual(absent(`there is no release before ${A}`));
  });

  test("says which there are, newest first, when there is none of the name", () => {
    expect(choose("x", A, [A, B])).toEqual(absent(`there is no release x; there are: ${B}, ${A}`));
    expect(choose("x", null, [])).toEqual(absent("there is no release x; there are none"));
  });

  test("names no more than ten", () => {
    const many = Array.from({ length: 12 }, (_, n) => `202611${n + 10}T203000Z-0123456789ab`);
    const choice = choose("x", null, many);
    expect(choice).toEqual(
      absent(`there is no release x; there are: ${many.toReversed().slice(0, 10).join(", ")} and 2 more`),
    );
  });

  test("finds what was live before the live one, whatever is older, and passes over what is not on disk", () => {
    expect(choose(null, C, [A, B, C], { line: [A, C] })).toEqual(found(A));
    expect(choose(null, A, [A, B, C], { line: [C, A] })).toEqual(found(C));
    expect(choose(null, C, [A, C], { line: [A, B, C] })).toEqual(found(A));
    expect(choose(null, C, [A, B, C], { line: [A] })).toEqual(found(A));
  });

  test("passes over releases that people went back from, unless there are no others", () => {
    expect(choose(null, C, [A, B, C], { line: [C], left: [B] })).toEqual(found(A));
    expect(choose(null, C, [B, C], { line: [C], left: [B] })).toEqual(found(B));
    expect(choose(B, C, [A, B, C], { line: [C], left: [B] })).toEqual(found(B));
  });

  test("says what to choose from when nothing is live", () => {
    expect(choose(null, null, [A])).toEqual(absent(`nothing is live to go back from; there are: ${A}`));
  });
});

describe("isReleaseOf", () => {
  test("compares the commit's first twelve digits", () => {
    expect(isReleaseOf("20261121T203000Z-0123456789ab", COMMIT)).toBe(true);
    expect(isReleaseOf("20261121T203000Z-0123456789ac", COMMIT)).toBe(false);
    expect(isReleaseOf("elsewhere-0123456789ab", COMMIT)).toBe(false);
  });
});

describe("traceHistory", () => {
  /** Of a commit, and another time of the same one: `b` and `b2`. */
  const deployed = (release: string) =>
    ({ trigger: "push", commit: release[0] ?? "", release, previousCommit: null }) as const;
  const wentBack = (from: string, to: string) =>
    ({ trigger: "rollback", commit: to[0] ?? "", release: to, previousCommit: from[0] ?? "" }) as const;
  const trace = (...oldestFirst: Parameters<typeof traceHistory>[0]) =>
    traceHistory(oldestFirst.toReversed());

  test("is of what was live one after the other", () => {
    expect(trace()).toEqual(NO_HISTORY);
    expect(trace(deployed("a"), deployed("b"))).toEqual({ takenBack: [], line: ["a", "b"], left: [] });
  });

  test("goes on from the release that people went back to, without those after it", () => {
    const [a, b, c] = [deployed("a"), deployed("b"), deployed("c")];
    expect(trace(a, b, wentBack("b", "a"))).toEqual({ takenBack: ["b"], line: ["a"], left: ["b"] });
    const twice = trace(a, b, c, wentBack("c", "b"), wentBack("b", "a"), deployed("d"));
    expect(twice).toEqual({ takenBack: ["b", "c"], line: ["a", "d"], left: ["b", "c"] });
    const named = trace(a, b, c, wentBack("c", "a"), deployed("d"));
    expect(named).toEqual({ takenBack: ["c"], line: ["a", "d"], left: ["b", "c"] });
  });

  test("takes a commit back only with its last release", () => {
    const trail = [deployed("a"), deployed("b"), deployed("b2"), wentBack("b2", "b"), deployed("c")] as const;
    expect(trace(...trail)).toEqual({ takenBack: [], line: ["a", "b", "c"], left: ["b2"] });
  });

  test("holds nothing against what was made live again since", () => {
    const again = trace(deployed("a"), deployed("b"), wentBack("b", "a"), deployed("b2"));
    expect(again).toEqual({ takenBack: [], line: ["a", "b2"], left: ["b"] });
    const forwards = trace(deployed("a"), deployed("b"), wentBack("b", "a"), wentBack("a", "b"));
    expect(forwards).toEqual({ takenBack: ["a"], line: ["a", "b"], left: [] });
  });

  test("passes over deployments without a release", () => {
    expect(trace({ ...deployed("a"), release: null }).line).toEqual([]);
  });
});
