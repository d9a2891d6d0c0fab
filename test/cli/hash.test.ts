import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { hash } from "../../src/cli/commands/hash.ts";
import type { Terminal } from "../../src/cli/terminal.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { createPasswordVerifier } from "../../src/providers/password.ts";
import { loadSecret } from "../providers/load-secret.ts";
import { words } from "../support/words.ts";
import { runHooklatch } from "./command-line.ts";

setDefaultTimeout(120_000);

const PASSWORD = "correct horse battery staple";

/** Runs `hooklatch hash` with `input` on its standard input. `fault` is the error that it throws, or null. */
async function runHash(input: string, args: readonly string[] = []) {
  let [stdout, stderr] = ["", ""];
  const terminal: Terminal = {
    env: {},
    cwd: "/",
    executable: null,
    clock: systemClock,
    isTty: { stdout: false, stderr: false },
    out: (text) => {
      stdout += text;
    },
    err: (text) => {
      stderr += text;
    },
    log: (line) => {
      stderr += line;
    },
    readSecret: () => Promise.resolve(input),
    onHangUp: () => {},
    untilStopped: () => new Promise(() => {}),
    abort: () => {},
  };
  const command = hash(terminal)
    .exitOverride()
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.err });
  const fault = await command.parseAsync(args, { from: "user" }).then(
    () => null,
    (error: unknown) => error,
  );
  return { stdout, stderr, fault };
}

describe("hooklatch hash", () => {
  test("prints a hash that matches only the password", async () => {
    const { stdout, stderr, fault } = await runHash(PASSWORD);
    expect([stderr, fault]).toEqual(["", null]);
    expect(stdout).toMatch(/^\$argon2id\$v=19\$m=65536,t=2,p=1\$[^\n]+\n$/);
    const isRight = createPasswordVerifier([{ user: "ada", hash: loadSecret(stdout.trimEnd()) }]);
    expect(await isRight({ user: "ada", password: PASSWORD })).toBe(true);
    expect(await isRight({ user: "ada", password: `${PASSWORD}\n` })).toBe(false);
  });

  test("warns about a short password without printing it", async () => {
    const { stdout, stderr, fault } = await runHash("kurz♥");
    expect(fault).toBeNull();
    expect(stdout).toStartWith("$argon2id$");
    expect(stderr).toMatch(/\b5\b.*\b15\b/);
    expect(stderr).not.toContain("kurz");
    expect(stderr).toMatchSnapshot();
  });

  test.each([
    ["empty input", "", []],
    ["two lines", `${PASSWORD}\nmore`, []],
    ["a password on the command line", PASSWORD, [PASSWORD]],
  ])("rejects %s without printing it", async (_, input, args) => {
    const { stdout, stderr, fault } = await runHash(input, args);
    expect([stdout, stderr]).toEqual(["", ""]);
    expect(fault).toMatchObject({ code: "configuration" });
    const { message } = fault as Error;
    expect(message).not.toContain(PASSWORD);
    expect(message).toMatchSnapshot();
  });

  test("shows in its help how to configure the hash", async () => {
    const { stdout } = await runHooklatch("hash --help", { cwd: "/" });
    expect(stdout).toContain('basic = [{ user = "ada", hash = "file:');
    expect(stdout).toMatchSnapshot();
  });
});

describe("secret input", () => {
  /** A program that prints the secret as JSON, or the error as an object. */
  const program = `
    import { readSecretInput } from ${JSON.stringify(join(import.meta.dir, "../../src/cli/secret-input.ts"))};
    const result = await readSecretInput("Password: ", process.stdin, process.stderr)
      .catch(({ code, message }) => ({ code, message }));
    process.stdout.write("<" + JSON.stringify(result) + ">");`;

  test.each([
    ["removes a newline at the end", "a pass phrase\n", "a pass phrase"],
    ["removes a Windows newline at the end", "a pass phrase\r\n", "a pass phrase"],
    ["needs no newline", "a pass phrase", "a pass phrase"],
    ["keeps surrounding spaces and further lines", " a\nb \n\n", " a\nb \n"],
    ["returns an empty text for empty input", "", ""],
  ])("does not prompt when it reads from a pipe: %s", async (_, piped, secret) => {
    const child = Bun.spawn([process.execPath, "-e", program], {
      stdin: Buffer.from(piped),
      stderr: "pipe",
    });
    expect(await child.stdout.text()).toBe(`<${JSON.stringify(secret)}>`);
    expect(await child.stderr.text()).toBe("");
  });

  /** Runs the program in a terminal, and enters the next of `entries` at each prompt. */
  async function runInTerminal(entries: readonly string[]): Promise<{ prompts: string; result: unknown }> {
    const pending = [...entries];
    let output = "";
    const child = Bun.spawn([process.execPath, "-e", program], {
      terminal: {
        data: (terminal, data) => {
          output += new TextDecoder().decode(data);
          if (output.endsWith(": ")) terminal.write(pending.shift() ?? "");
        },
      },
    });
    await child.exited;
    expect(pending).toEqual([]);
    const [, prompts = "", result = ""] = /^(.*)<(.*)>$/s.exec(output) ?? [];
    return { prompts, result: JSON.parse(result) };
  }

  test("asks twice for a password in a terminal and does not echo it", async () => {
    const { prompts, result } = await runInTerminal(["secrex\x7fté\r", "secreté\r"]);
    expect(result).toBe("secreté");
    expect(prompts).not.toMatch(/secre/i);
    expect(prompts.match(/: \r\n/g)).toHaveLength(2);
    // A snapshot cannot hold carriage returns.
    expect(prompts.replaceAll("\r\n", "\n")).toMatchSnapshot();
  });

  test.each([
    ["the second entry differs", ["secret\r", "Secret\r"]],
    ["Ctrl-C is pressed", ["secret\x03"]],
    ["Ctrl-D is pressed", ["secret\r", "\x04"]],
  ])("fails without an echo in a terminal when %s", async (_, entries) => {
    const { prompts, result } = await runInTerminal(entries);
    expect(prompts).not.toMatch(/secret/i);
    expect(prompts.match(/: \r\n/g)).toHaveLength(entries.length);
    expect(result).toMatchObject({ code: "failed" });
    expect(words((result as Error).message)).toMatchSnapshot();
  });
});
