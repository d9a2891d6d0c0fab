import { describe, expect, test } from "bun:test";
import { Secret } from "../src/domain/secret.ts";
import { type LogOptions, openLog } from "../src/log.ts";

async function logged(options: Partial<LogOptions>, fields: object, message = "hello"): Promise<string> {
  const lines: string[] = [];
  const log = await openLog({ write: (line) => lines.push(line), pretty: false, debug: false, ...options });
  log.info({ ...fields }, message);
  return lines.join("");
}

describe("the log", () => {
  test("writes one line of JSON with the time, the level and the fields", async () => {
    const line = await logged({}, { delivery: 7 });
    expect(line).toEndWith("\n");
    expect(JSON.parse(line)).toEqual({ level: "info", time: expect.any(String), delivery: 7, msg: "hello" });
  });

  test("never prints a secret, wherever it is handed in", async () => {
    const secret = new Secret({ kind: "env", name: "NAME" });
    secret.load("swordfish");
    const fields = {
      secret: "swordfish",
      token: "swordfish",
      authorization: "swordfish",
      a: { b: [secret] },
    };
    for (const pretty of [false, true]) {
      const line = await logged({ pretty }, fields, `the secret ${secret}`);
      expect(line).not.toContain("swordfish");
      expect(line).toContain("env:NAME");
    }
  });

  test("keeps a payload's text on one line, and shows what would be invisible or turn the line around", async () => {
    const branch = "a\nb\u001b[31m\u202e\u2028\u0085\u200b";
    for (const pretty of [false, true]) {
      const line = await logged({ pretty }, { branch });
      expect(line.trimEnd()).not.toMatch(/[\n\u202e\u2028\u0085\u200b]/);
      expect(line).toContain("\\u202e");
    }
    expect(JSON.parse(await logged({}, { branch })).branch).toBe(branch);
  });

  test("never prints an error's own properties: a runtime puts there what it was given", async () => {
    const err = Object.assign(new Error("no URL"), { input: "/webhook?verify_token=swordfish" });
    const wrapped = new Error("a fault", { cause: err });
    for (const debug of [false, true])
      expect(await logged({ debug }, { err: wrapped })).not.toContain("swordfish");
  });

  test("leaves an error's stack to --debug", async () => {
    const err = new Error("the disk is full");
    expect(await logged({}, { err })).not.toContain("stack");
    expect(await logged({ debug: true }, { err })).toContain("stack");
  });
});
