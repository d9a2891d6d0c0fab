import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { hash } from "../../src/cli/hash.ts";
import type { Terminal } from "../../src/cli/terminal.ts";
import { systemClock } from "../../src/clock.ts";
import { openPasswords } from "../../src/providers/password.ts";
import { loadSecret } from "../providers/load-secret.ts";

setDefaultTimeout(120_000);

const PASSWORD = "correct horse battery staple";

/** Runs `hooklatch hash` with this on its standard input. */
async function runHash(input: string, args: readonly string[] = []) {
  let [stdout, stderr] = ["", ""];
  const terminal: Terminal = {
    env: {},
    cwd: "/",
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
  test("prints the hash alone, and only the password fits it", async () => {
    const { stdout, stderr, fault } = await runHash(PASSWORD);
    expect([stderr, fault]).toEqual(["", null]);
    expect(stdout).toMatch(/^\$argon2id\$v=19\$m=65536,t=2,p=1\$[^\n]+\n$/);
    const isRight = openPasswords([{ user: "ada", hash: loadSecret(stdout.trimEnd()) }]);
    expect(await isRight({ user: "ada", password: PASSWORD })).toBe(true);
    expect(await isRight({ user: "ada", password: `${PASSWORD}\n` })).toBe(false);
  });

  test("warns of a short password and does not repeat it", async () => {
    const { stdout, stderr, fault } = await runHash("kurz♥");
    expect(fault).toBeNull();
    expect(stdout).toStartWith("$argon2id$");
    expect(stderr).toBe("hooklatch: the password has 5 of the 15 characters that make it hard to guess\n");
  });

  for (const [what, input, message] of [
    ["nothing", "", "the password is empty: type one, or pipe one in"],
    ["two lines", `${PASSWORD}\nmore`, "the password has more than one line, or control characters in it"],
  ] as const) {
    test(`is wrong, and prints nothing, when it is given ${what}`, async () => {
      const { stdout, stderr, fault } = await runHash(input);
      expect([stdout, stderr]).toEqual(["", ""]);
      expect(fault).toMatchObject({ code: "configuration", message });
    });
  }

  test("takes no password from the command line, and does not repeat it", async () => {
    const { stdout, stderr, fault } = await runHash(PASSWORD, [PASSWORD]);
    expect([stdout, stderr]).toEqual(["", ""]);
    const message = "the password is read from standard input only";
    expect(fault).toMatchObject({ code: "configuration", message });
  });

  test("tells with --help what to do with the hash", async () => {
    const { stdout } = await runHash("", ["--help"]);
    expect(stdout).toContain('basic = [{ user = "ada", hash = "file:/etc/hooklatch/ada.hash" }]');
  });
});

describe("standard input", () => {
  /** A process that shows what it reads, quoted, or why it reads nothing. */
  const program = `
    import { readSecretInput } from ${JSON.stringify(join(import.meta.dir, "../../src/cli/secret-input.ts"))};
    const read = await readSecretInput("Password: ", process.stdin, process.stderr).then(JSON.stringify, String);
    process.stdout.write("<" + read + ">");`;

  for (const [what, piped, read] of [
    ["without the newline at its end", "a pass phrase\n", "a pass phrase"],
    ["without the newline of Windows", "a pass phrase\r\n", "a pass phrase"],
    ["without any newline", "a pass phrase", "a pass phrase"],
    ["with the spaces around it and its second line", " a\nb \n\n", " a\nb \n"],
    ["of nothing", "", ""],
  ] as const) {
    test(`that is a pipe is read ${what}, and nobody is asked`, async () => {
      const child = Bun.spawn([process.execPath, "-e", program], {
        stdin: Buffer.from(piped),
        stderr: "pipe",
      });
      expect(await child.stdout.text()).toBe(`<${JSON.stringify(read)}>`);
      expect(await child.stderr.text()).toBe("");
    });
  }

  for (const [what, typed, read] of [
    ["read when it is typed twice", ["secrex\x7fté\r", "secreté\r"], '"secreté"'],
    [
      "refused when the second differs",
      ["secret\r", "Secret\r"],
      "Fault: what was typed the second time is not the same",
    ],
    ["given up with Ctrl-C", ["secret\x03"], "Fault: nothing was entered"],
    ["given up with Ctrl-D", ["secret\r", "\x04"], "Fault: nothing was entered"],
  ] as const) {
    test(`that is a terminal is ${what}, and never shown`, async () => {
      const keys = [...typed];
      let shown = "";
      const child = Bun.spawn([process.execPath, "-e", program], {
        terminal: {
          data: (terminal, data) => {
            const before = shown;
            shown += new TextDecoder().decode(data);
            const asks = (text: string) => text.split(/Password: |Once more: /).length;
            if (asks(shown) > asks(before)) terminal.write(keys.shift() ?? "");
          },
        },
      });
      await child.exited;
      const asked = typed.length === 2 ? "Password: \r\nOnce more: \r\n" : "Password: \r\n";
      expect(shown).toBe(`${asked}<${read}>`);
    });
  }
});
