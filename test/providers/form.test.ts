import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { decodeJsonField } from "../../src/providers/form.ts";

setDefaultTimeout(120_000);

const read = (form: string) => decodeJsonField(new TextEncoder().encode(form), "payload");

describe("decodeJsonField", () => {
  test("decodes percent signs and plus signs once", () => {
    expect(read("payload=%7B%22a%22%3A%22b+c%2Bd%2525%22%7D")).toEqual({
      ok: true,
      text: '{"a":"b c+d%25"}',
      value: { a: "b c+d%25" },
    });
  });

  test("takes JSON that was not encoded, with an = in it", () => {
    expect(read('payload={"a":"b=c"}')).toMatchObject({ ok: true, value: { a: "b=c" } });
  });

  for (const [what, form, reason] of [
    ["no field at all", "", "the form does not begin with the field payload"],
    ["another field", "Payload=%7B%7D", "the form does not begin with the field payload"],
    ["an encoded name", "%70ayload=%7B%7D", "the form does not begin with the field payload"],
    ["a field before it", "a=1&payload=%7B%7D", "the form does not begin with the field payload"],
    ["an empty field before it", "&payload=%7B%7D", "the form does not begin with the field payload"],
    ["a field after it", "payload=%7B%7D&b", "the form has another field beside payload"],
    ["an empty field after it", "payload=%7B%7D&", "the form has another field beside payload"],
    ["two payloads", "payload=%7B%7D&payload=%7B%7D", "the form has another field beside payload"],
    ["half an escape", "payload=%7", "the form is not percent-encoded UTF-8"],
    ["an escape that is not hex", "payload=%zz", "the form is not percent-encoded UTF-8"],
    ["escaped bytes that are not UTF-8", "payload=%22%ff%22", "the form is not percent-encoded UTF-8"],
    ["an escaped overlong NUL", "payload=%22%c0%80%22", "the form is not percent-encoded UTF-8"],
    ["an empty payload", "payload=", "the form's field payload is not JSON"],
    ["a payload without a value", "payload", "the form does not begin with the field payload"],
    ["bare JSON", '{"zen":"Hello"}', "the form does not begin with the field payload"],
    ["an escaped byte order mark", "payload=%EF%BB%BF%7B%7D", "the form's field payload is not JSON"],
  ] as const) {
    test(`refuses ${what}`, () => {
      expect(read(form)).toEqual({ ok: false, reason });
    });
  }

  test("refuses bytes that are not UTF-8", () => {
    const body = Uint8Array.of(...new TextEncoder().encode("payload="), 0xff);
    expect(decodeJsonField(body, "payload")).toEqual({ ok: false, reason: "the body is not UTF-8" });
  });

  test("gives back any JSON that was encoded as a browser or as GitHub does", () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: "binary" }), (json) => {
        expect(read(`payload=${encodeURIComponent(json)}`)).toMatchObject({ ok: true, text: json });
        expect(read(new URLSearchParams({ payload: json }).toString())).toMatchObject({
          ok: true,
          text: json,
        });
      }),
    );
  });

  test("never throws, whatever the form", () => {
    const piece = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom("payload", "=", "&", "%", "%7B", "+", "{}"),
    );
    fc.assert(fc.property(fc.array(piece), (pieces) => typeof read(pieces.join("")).ok === "boolean"));
  });
});
