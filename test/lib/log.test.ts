import { describe, expect, test } from "bun:test";
import { createLog, LOG_FORMATS, type LogOptions } from "../../src/lib/log.ts";
import { Secret } from "../../src/lib/secret.ts";

/** Logs one message at the level info and returns what the log wrote. */
async function write(options: Partial<LogOptions>, fields: object, message = "hello"): Promise<string> {
  const lines: string[] = [];
  const log = await createLog({
    write: (line) => lines.push(line),
    format: "json",
    colours: false,
    debug: false,
    ...options,
  });
  log.info({ ...fields }, message);
  return lines.join("");
}

describe("log", () => {
  test("writes one line of JSON with the time, level, fields and message", async () => {
    const line = await write({}, { delivery: 7 });
    expect(line).toEndWith("\n");
    expect(JSON.parse(line)).toEqual({ level: "info", time: expect.any(String), delivery: 7, msg: "hello" });
  });

  test("writes text for people, and text with priorities and without a time for the journal", async () => {
    expect(await write({ format: "text" }, { delivery: 7 })).toMatch(
      /^\[[\d:]{8}\] INFO: hello \{"delivery":7\}\n$/,
    );
    const journal = await write({ format: "journald" }, { delivery: 7 });
    expect(journal).toBe('<6>hello {"delivery":7}\n');
  });

  test.each(LOG_FORMATS)("writes a message with line feeds on one line: %s", async (format) => {
    const line = await write({ format }, {}, "hello\n<0>INFO: world\r\n");
    expect(line.indexOf("\n")).toBe(line.length - 1);
    expect(line).toContain("hello\\n<0>INFO: world");
  });

  test("writes the message also when JSON cannot hold a field", async () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    for (const field of [cycle, 1n]) {
      expect(JSON.parse(await write({}, { field }))).toEqual({
        level: "info",
        time: expect.any(String),
        err: { name: "TypeError", message: expect.any(String) },
        msg: "hello",
      });
    }
  });

  test("redacts secrets in fields and messages", async () => {
    const secret = new Secret({ kind: "env", name: "NAME" });
    secret.load("swordfish");
    const fields = {
      secret: "swordfish",
      token: "swordfish",
      authorization: "swordfish",
      a: { b: [secret] },
    };
    for (const format of LOG_FORMATS) {
      const line = await write({ format }, fields, `the secret ${secret}`);
      expect(line).not.toContain("swordfish");
      expect(line).toContain("env:NAME");
    }
  });

  test("writes one line and escapes invisible and bidirectional characters", async () => {
    const branch = "a\nb\u001b[31m\u202e\u2028\u0085\u200b";
    for (const format of LOG_FORMATS) {
      const line = await write({ format }, { branch });
      expect(line.trimEnd()).not.toMatch(/[\n\u202e\u2028\u0085\u200b]/);
      expect(line).toContain("\\u202e");
    }
    expect(JSON.parse(await write({}, { branch })).branch).toBe(branch);
  });

  // The runtime stores its input, such as a URL with a token, in properties of its errors.
  test("does not write properties of errors", async () => {
    const err = Object.assign(new Error("no URL"), { input: "/webhook?verify_token=swordfish" });
    const wrapped = new Error("wrapped", { cause: err });
    for (const debug of [false, true])
      expect(await write({ debug }, { err: wrapped })).not.toContain("swordfish");
  });

  test("writes one line for an error in every format", async () => {
    const err = new Error("the disk\nis full");
    for (const format of LOG_FORMATS) {
      for (const debug of [false, true]) {
        expect((await write({ format, debug }, { err })).match(/\n/g)).toEqual(["\n"]);
      }
    }
  });

  test("writes the stack of an error only with --debug", async () => {
    const err = new Error("the disk is full");
    expect(await write({}, { err })).not.toContain("stack");
    expect(await write({ debug: true }, { err })).toContain("stack");
  });
});
