import { describe, expect, test } from "bun:test";
import { format, inspect } from "node:util";
import fc from "fast-check";
import { parseSecretOrigin, Secret } from "../../src/domain/secret.ts";

const VALUE = "correct horse battery staple";

describe("a secret", () => {
  const loaded = (text: string) => {
    const secret = new Secret(parseSecretOrigin(text));
    secret.load(VALUE);
    return secret;
  };

  for (const [text, shown] of [
    ["env:WEBHOOK_SECRET", "env:WEBHOOK_SECRET"],
    ["file:/run/secrets/webhook", "file:/run/secrets/webhook"],
    ["credential:webhook", "credential:webhook"],
    [VALUE, "[literal secret]"],
  ] as const) {
    test(`prints only ${shown}`, () => {
      const secret = loaded(text);
      for (const printed of [
        `${secret}`,
        String(secret),
        JSON.stringify(secret),
        JSON.stringify({ options: { secrets: [secret] } }),
        inspect(secret),
        inspect({ options: { secrets: [secret] } }, { depth: null, showHidden: true }),
        format("%s %o %j", secret, secret, secret),
        Bun.inspect(secret),
        Bun.inspect([{ secret }]),
        String(new Error(`cannot use ${secret}`)),
        inspect(new Error("cannot", { cause: secret })),
      ]) {
        expect(printed).toContain(shown);
        expect(printed).not.toContain(VALUE);
      }
    });
  }

  test("reveals its value only when asked", () => {
    expect(loaded("env:X").reveal()).toBe(VALUE);
  });

  test("throws instead of revealing what was never loaded", () => {
    const secret = new Secret(parseSecretOrigin("env:MISSING"));
    expect(secret.loaded).toBe(false);
    expect(() => secret.reveal()).toThrow("env:MISSING was not loaded");
  });

  test("refuses an empty value, and stays unloaded", () => {
    const secret = new Secret(parseSecretOrigin("env:EMPTY"));
    expect(() => secret.load("")).toThrow("env:EMPTY is empty");
    expect(secret.loaded).toBe(false);
  });

  test("does not name a literal in the error that it throws", () => {
    const secret = new Secret(parseSecretOrigin(VALUE));
    expect(() => secret.reveal()).toThrow("[literal secret] was not loaded");
  });
});

describe("parseSecretOrigin", () => {
  test("cuts the kind once, and takes what has none for a literal", () => {
    expect(parseSecretOrigin("env:env:X")).toEqual({ kind: "env", name: "env:X" });
    expect(parseSecretOrigin("ENV:X")).toEqual({ kind: "literal", value: "ENV:X" });
    fc.assert(
      fc.property(fc.string(), (text) => {
        const origin = parseSecretOrigin(text);
        expect(origin.kind === "literal" ? origin.value : `${origin.kind}:${origin.name}`).toBe(text);
      }),
    );
  });
});
