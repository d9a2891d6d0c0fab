import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isReleaseName, nameRelease } from "../../src/domain/release.ts";

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
