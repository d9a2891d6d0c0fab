import { describe, expect, test } from "bun:test";
import { format, inspect } from "node:util";
import fc from "fast-check";
import { parseSecretOrigin, Secret } from "../../src/lib/secret.ts";
import { words } from "../support/words.ts";

const VALUE = "correct horse battery staple";

/** Returns the message of the error that `action` throws. */
function messageOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof Error) return error.message;
  }
  throw new Error("there was no error");
}

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
    test(`prints as ${shown}`, () => {
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

  test("returns its value from reveal", () => {
    expect(loaded("env:X").reveal()).toBe(VALUE);
  });

  test("throws from reveal when it is not loaded", () => {
    const secret = new Secret(parseSecretOrigin("env:MISSING"));
    expect(secret.loaded).toBe(false);
    const message = messageOf(() => secret.reveal());
    expect(message).toContain("env:MISSING");
    expect(words(message)).toMatchSnapshot();
  });

  test("rejects an empty value and stays unloaded", () => {
    const secret = new Secret(parseSecretOrigin("env:EMPTY"));
    const message = messageOf(() => secret.load(""));
    expect(message).toContain("env:EMPTY");
    expect(words(message)).toMatchSnapshot();
    expect(secret.loaded).toBe(false);
  });

  test("does not repeat a literal in the error that it throws", () => {
    const secret = new Secret(parseSecretOrigin(VALUE));
    const message = messageOf(() => secret.reveal());
    expect(message).toContain("[literal secret]");
    expect(message).not.toContain(VALUE);
    expect(words(message)).toMatchSnapshot();
  });
});

describe("parseSecretOrigin", () => {
  test("removes one prefix and treats text without a known prefix as a literal", () => {
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
