import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { decodeJsonField } from "../../src/providers/form.ts";
import { reasonOf } from "./reason-of.ts";

setDefaultTimeout(120_000);

const read = (form: string) => decodeJsonField(new TextEncoder().encode(form), "payload");

describe("decodeJsonField", () => {
  test("decodes percent signs and plus signs once", () => {
    expect(read("payload=%7B%22a%22%3A%22b+c%2Bd%2525%22%7D")).toEqual({
      kind: "decoded",
      text: '{"a":"b c+d%25"}',
      value: { a: "b c+d%25" },
    });
  });

  test("accepts unencoded JSON that contains an equals sign", () => {
    expect(read('payload={"a":"b=c"}')).toMatchObject({ kind: "decoded", value: { a: "b=c" } });
  });

  for (const [what, form] of [
    ["an empty form", ""],
    ["a field with another name", "Payload=%7B%7D"],
    ["a percent-encoded field name", "%70ayload=%7B%7D"],
    ["a field before the payload", "a=1&payload=%7B%7D"],
    ["an empty field before the payload", "&payload=%7B%7D"],
    ["a field after the payload", "payload=%7B%7D&b"],
    ["an empty field after the payload", "payload=%7B%7D&"],
    ["two payloads", "payload=%7B%7D&payload=%7B%7D"],
    ["a truncated escape", "payload=%7"],
    ["an escape that is not hexadecimal", "payload=%zz"],
    ["escaped bytes that are not UTF-8", "payload=%22%ff%22"],
    ["an escaped overlong NUL", "payload=%22%c0%80%22"],
    ["an empty payload", "payload="],
    ["a payload without a value", "payload"],
    ["JSON without a field", '{"zen":"Hello"}'],
    ["an escaped byte order mark", "payload=%EF%BB%BF%7B%7D"],
  ] as const) {
    test(`rejects ${what}`, () => {
      expect(reasonOf(read(form))).toMatchSnapshot();
    });
  }

  test("rejects bytes that are not UTF-8", () => {
    const body = Uint8Array.of(...new TextEncoder().encode("payload="), 0xff);
    expect(reasonOf(decodeJsonField(body, "payload"))).toMatchSnapshot();
  });

  test("decodes any JSON that a browser or GitHub encoded", () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: "binary" }), (json) => {
        expect(read(`payload=${encodeURIComponent(json)}`)).toMatchObject({ kind: "decoded", text: json });
        expect(read(new URLSearchParams({ payload: json }).toString())).toMatchObject({
          kind: "decoded",
          text: json,
        });
      }),
    );
  });

  test("never throws", () => {
    const piece = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom("payload", "=", "&", "%", "%7B", "+", "{}"),
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) =>
        ["decoded", "unreadable"].includes(read(pieces.join("")).kind),
      ),
    );
  });
});
