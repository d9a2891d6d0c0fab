import { describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describeCommand, queuesEveryDelivery } from "../../src/domain/target.ts";

describe("describeCommand", () => {
  test("returns a shell line unchanged", () => {
    expect(describeCommand("npm ci && npm run build")).toBe("npm ci && npm run build");
  });

  test("quotes the arguments of a list only where a shell needs it", () => {
    expect(describeCommand(["npm", "run", "build", "--prefix=/srv/a_b"])).toBe(
      "npm run build --prefix=/srv/a_b",
    );
    expect(describeCommand(["echo", "it's", "", "a b", "$HOME"])).toBe("echo 'it'\\''s' '' 'a b' '$HOME'");
  });

  test("quotes any argument list so that a shell reads the same arguments", () => {
    const word = fc.string({ unit: "grapheme-ascii" });
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 4 }), (words) => {
        const line = `printf '%s\\0' ${describeCommand(words)}`;
        const read = execFileSync("/bin/sh", ["-c", line], { encoding: "utf8" });
        expect(read).toBe(words.map((each) => `${each}\0`).join(""));
      }),
      { numRuns: 30 },
    );
  });
});

test.each([
  ["latest", null, false],
  ["all", null, true],
  ["latest", { workflow: null }, true],
] as const)("queuesEveryDelivery with queue %p and wait_for_ci %j", (queue, waitForCi, expected) => {
  expect(queuesEveryDelivery({ queue, waitForCi })).toBe(expected);
});
