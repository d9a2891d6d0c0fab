import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openSqlite } from "../../../src/store/sqlite/index.ts";
import { numbersIn, words } from "../../support/words.ts";
import { makeDirectory } from "../directory.ts";
import { delivery, keep, rejection } from "../sample.ts";

setDefaultTimeout(120_000);

let directory: Awaited<ReturnType<typeof makeDirectory>>;
const processes: Bun.Subprocess[] = [];

beforeEach(async () => {
  directory = await makeDirectory();
});
afterEach(async () => {
  for (const one of processes.splice(0)) {
    one.kill("SIGKILL");
    await one.exited;
  }
  await directory.remove();
});

/** Opens the directory after the first line of input, prints the result, and runs until it is killed. */
const SCRIPT = `
  import { spawn } from "node:child_process";
  import { openSqlite } from ${JSON.stringify(join(import.meta.dir, "../../../src/store/sqlite/index.ts"))};
  const lines = console[Symbol.asyncIterator]();
  await lines.next();
  try {
    globalThis.store = await openSqlite(process.argv[1]);
    if (process.argv[2] === "with-child") {
      const child = spawn("sleep", ["60"], { stdio: "ignore", detached: true });
      console.log("open " + child.pid);
    } else console.log("open");
  } catch (error) {
    console.log(error.code + ": " + error.message);
  }
  await lines.next();
`;

function startHolder(...args: string[]) {
  const holder = Bun.spawn([process.execPath, "-e", SCRIPT, directory.path, ...args], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  processes.push(holder);
  const output = holder.stdout.getReader();
  return {
    pid: holder.pid,
    /** Makes the process open the directory. */
    go() {
      holder.stdin.write("go\n");
      holder.stdin.flush();
    },
    /** The printed result. */
    async result(): Promise<string> {
      const { value } = await output.read();
      return new TextDecoder().decode(value).trim();
    },
    async kill() {
      holder.kill("SIGKILL");
      await holder.exited;
    },
  };
}

/** Asserts that opening fails because a process uses the directory. Returns the message for a snapshot. */
async function readConflict(opening: Promise<unknown>, pid: number, path = directory.path): Promise<string> {
  const error = await rejection(opening);
  expect(error).toMatchObject({ code: "failed" });
  return readConflictMessage(error.message, pid, path);
}

function readConflictMessage(message: string, pid: number, path = directory.path): string {
  expect(message).toContain(path);
  const text = message.replaceAll(path, "<data_dir>");
  expect(numbersIn(text)).toEqual([pid]);
  return text.replace(String(pid), "<pid>");
}

describe("a data directory in use", () => {
  test("rejects another process with the pid of its holder, until the holder is killed", async () => {
    const holder = startHolder();
    holder.go();
    expect(await holder.result()).toBe("open");
    expect(await readConflict(openSqlite(directory.path), holder.pid)).toMatchSnapshot();

    await holder.kill();
    // The pid file remains, and must not block the next process.
    expect(await readFile(join(directory.path, "hooklatch.pid"), "utf8")).toBe(`${holder.pid}\n`);
    const store = await openSqlite(directory.path);
    expect(await readFile(join(directory.path, "hooklatch.pid"), "utf8")).toBe(`${process.pid}\n`);
    await store.close();
  });

  test("rejects the same process by any path, and stays locked", async () => {
    const store = await openSqlite(directory.path);
    const link = `${directory.path}-link`;
    await symlink(directory.path, link);
    const messages = [
      await readConflict(openSqlite(directory.path), process.pid),
      await readConflict(openSqlite(link), process.pid, link),
      await readConflict(openSqlite(directory.path), process.pid),
    ];

    const other = startHolder();
    other.go();
    const result = await other.result();
    expect(result).toStartWith("failed: ");
    messages.push(readConflictMessage(result.slice("failed: ".length), process.pid));
    expect(messages).toMatchSnapshot();
    expect(await keep(store, delivery())).toMatchObject({ delivery: 1 });
    await store.close();
    await Bun.file(link).delete();
  });

  test("is released when the store is closed, and a second close does not release the next lock", async () => {
    const first = await openSqlite(directory.path);
    await first.close();
    const second = await openSqlite(directory.path);
    await first.close();
    await readConflict(openSqlite(directory.path), process.pid);
    await second.close();
  });

  test("is released when the store cannot be opened", async () => {
    const file = join(directory.path, "hooklatch.db");
    await mkdir(file);
    const messages = [
      (await rejection(openSqlite(directory.path))).message,
      (await rejection(openSqlite(directory.path))).message,
    ];
    for (const message of messages) expect(message).toContain(file);
    expect(messages.map((message) => words(message, { [directory.path]: "<data_dir>" }))).toMatchSnapshot();
  });

  test("is released when its holder is killed and a child process of the holder survives", async () => {
    const holder = startHolder("with-child");
    holder.go();
    const child = Number((await holder.result()).replace("open ", ""));
    try {
      await holder.kill();
      expect(process.kill(child, 0)).toBe(true);
      await (await openSqlite(directory.path)).close();
    } finally {
      process.kill(child, "SIGKILL");
    }
  });

  test("is acquired by exactly one of two processes that start at the same time, even with a stale pid file", async () => {
    const messages = new Set<string>();
    for (let round = 0; round < 3; round += 1) {
      // Above the largest possible pid, so that no process has it.
      await writeFile(join(directory.path, "hooklatch.pid"), "4194305\n");
      const holders = [startHolder(), startHolder()];
      for (const { go } of holders) go();
      const results = await Promise.all(holders.map((holder) => holder.result()));
      const winner = results.indexOf("open");
      const other = results[1 - winner] ?? "";
      expect(other).toStartWith("failed: ");
      messages.add(readConflictMessage(other.slice("failed: ".length), holders[winner]?.pid ?? 0));
      for (const { kill } of holders) await kill();
    }
    expect([...messages]).toMatchSnapshot();
  });
});
