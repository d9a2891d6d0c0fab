import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isAcceptedMediaType } from "../../src/http/body.ts";

const ACCEPTED = ["application/json", "application/x-www-form-urlencoded"];

const space = fc.constantFrom("", " ", "\t", " \t ");
const charset = fc.constantFrom(
  "utf-8",
  '"UTF-8"',
  "utf8",
  "utf-16",
  '"utf-16',
  "utf-8 x",
  "'utf-8'",
  "",
  '"utf-7 "',
);
const parameter = fc.oneof(
  fc.tuple(space, fc.constantFrom("charset", "CHARSET"), space, fc.constant("="), space, charset, space),
  fc.tuple(space, fc.constantFrom("boundary=x", "q=1", "charset", "charsets=utf-16", "=")),
  fc.tuple(fc.string({ unit: "binary", maxLength: 5 })),
);
const header = fc
  .tuple(
    fc.constantFrom(...ACCEPTED, "APPLICATION/JSON", "text/plain", ""),
    fc.array(parameter, { maxLength: 4 }),
  )
  .map(([type, parameters]) => [type, ...parameters.map((parts) => parts.join(""))].join(";"));

describe("isAcceptedMediaType", () => {
  test("accepts a listed type only when every charset is UTF-8", () => {
    fc.assert(
      fc.property(header, (text) => {
        const [type = "", ...parameters] = text.toLowerCase().split(";");
        const charsets = parameters
          .map((parameter) => parameter.split("="))
          .filter(([name = "", ...rest]) => name.trim() === "charset" && rest.length > 0)
          .map(([, ...rest]) => rest.join("=").trim());
        const isUtf8 = charsets.every((name) => ["utf-8", "utf8", '"utf-8"', '"utf8"'].includes(name));
        expect(isAcceptedMediaType(text, ACCEPTED)).toBe(ACCEPTED.includes(type.trim()) && isUtf8);
      }),
      { numRuns: 1000 },
    );
  });

  test("rejects any other text and never throws", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        fc.pre(!ACCEPTED.some((type) => text.toLowerCase().includes(type)));
        expect(isAcceptedMediaType(text, ACCEPTED)).toBe(false);
      }),
    );
  });
});
