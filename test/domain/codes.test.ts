import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  DECISION_CODES,
  isSkipCode,
  NOTIFICATION_CODES,
  REFUSAL_CODES,
  RESULT_CODES,
  SKIP_CODES,
} from "../../src/domain/codes.ts";

const SOURCE = join(import.meta.dir, "../../src");

/** Every source file except the lists themselves and migrations, which assign codes to old rows only. */
const text = readdirSync(SOURCE, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts") && name !== "domain/codes.ts" && !name.includes("/migrations/"))
  .map((name) => readFileSync(join(SOURCE, name), "utf8"))
  .join("\n");

describe.each(
  Object.entries({ DECISION_CODES, REFUSAL_CODES, RESULT_CODES, NOTIFICATION_CODES }) as [
    string,
    Readonly<Record<string, string>>,
  ][],
)("%s", (_name, codes) => {
  test.each(Object.entries(codes))(
    "%s is used and has one sentence as its description",
    (code, description) => {
      expect(code).toMatch(/^[a-z]+(?:_[a-z]+)*$/);
      expect(description).toMatch(/^\S.*[^.]\.$/);
      expect(text).toMatch(new RegExp(`["']${code}["']`));
    },
  );
});

test("isSkipCode returns true for the codes of skipped deployments only", () => {
  for (const code of Object.keys(RESULT_CODES)) expect(isSkipCode(code)).toBe(code in SKIP_CODES);
  expect(isSkipCode(null)).toBe(false);
  expect(isSkipCode("toString")).toBe(false);
});
