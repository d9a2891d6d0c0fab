import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openSqlite } from "../../../src/store/sqlite/store.ts";
import { makeDirectory } from "../directory.ts";
import { delivery, keep } from "../sample.ts";

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

/** Opens the directory at the first line of its input, tells how that went, and stays until it is killed. */
const SCRIPT = `
  import { spawn } from "node:child_process";
  import { openSqlite } from ${JSON.stringify(join(import.meta.dir, "../../../src/store/sqlite/store.ts"))};
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
    /** Lets it open the directory. */
    go() {
      holder.stdin.write("go\n");
      holder.stdin.flush();
    },
    /** What it says of how that went. */
    async told(): Promise<string> {
      const { value } = await output.read();
      return new TextDecoder().decode(value).trim();
    },
    async kill() {
      holder.kill("SIGKILL");
      await holder.exited;
    },
  };
}

const refusal = (who: string, path = directory.path) => ({
  code: "failed",
  message: `another hooklatch${who} uses ${path}; stop it, or choose another data_dir`,
});

describe("a data directory in use", () => {
  test("is refused to another process, with the number of the one that has it, until that is killed", async () => {
    const holder = startHolder();
    holder.go();
    expect(await holder.told()).toBe("open");
    await expect(openSqlite(directory.path)).rejects.toMatchObject(refusal(` (process ${holder.pid})`));

    await holder.kill();
    // Its file is still there, and no harm.
    expect(await readFile(join(directory.path, "hooklatch.pid"), "utf8")).toBe(`${holder.pid}\n`);
    const store = await openSqlite(directory.path);
    expect(await readFile(join(directory.path, "hooklatch.pid"), "utf8")).toBe(`${process.pid}\n`);
    await store.close();
  });

  test("is refused to the same process, by whatever path, and stays in use after that", async () => {
    const store = await openSqlite(directory.path);
    const ours = ` (process ${process.pid})`;
    const link = `${directory.path}-link`;
    await symlink(directory.path, link);
    await expect(openSqlite(directory.path)).rejects.toMatchObject(refusal(ours));
    await expect(openSqlite(link)).rejects.toMatchObject(refusal(ours, link));
    await expect(openSqlite(directory.path)).rejects.toMatchObject(refusal(ours));

    const other = startHolder();
    other.go();
    expect(await other.told()).toBe(`failed: ${refusal(ours).message}`);
    expect(await keep(store, delivery())).toMatchObject({ delivery: 1 });
    await store.close();
    await Bun.file(link).delete();
  });

  test("is free again when the store is closed, and closing it twice takes it from nobody", async () => {
    const first = await openSqlite(directory.path);
    await first.close();
    const second = await openSqlite(directory.path);
    await first.close();
    await expect(openSqlite(directory.path)).rejects.toMatchObject(refusal(` (process ${process.pid})`));
    await second.close();
  });

  test("is free again when the store could not be opened", async () => {
    await mkdir(join(directory.path, "hooklatch.db"));
    for (const _ of [1, 2]) {
      await expect(openSqlite(directory.path)).rejects.toMatchObject({
        message: expect.stringContaining("hooklatch.db cannot be opened"),
      });
    }
  });

  test("is free although a child of the process that was killed lives on", async () => {
    const holder = startHolder("with-child");
    holder.go();
    const child = Number((await holder.told()).replace("open ", ""));
    try {
      await holder.kill();
      expect(process.kill(child, 0)).toBe(true);
      await (await openSqlite(directory.path)).close();
    } finally {
      process.kill(child, "SIGKILL");
    }
  });

  test("goes to exactly one of two that start at the same moment, also beside a stale number", async () => {
    for (let round = 0; round < 3; round += 1) {
      // No process has this number (it is beyond the largest there can be).
      await writeFile(join(directory.path, "hooklatch.pid"), "4194305\n");
      const holders = [startHolder(), startHolder()];
      for (const { go } of holders) go();
      const told = await Promise.all(holders.map((holder) => holder.told()));
      const winner = told.indexOf("open");
      expect(told[1 - winner]).toBe(`failed: ${refusal(` (process ${holders[winner]?.pid})`).message}`);
      for (const { kill } of holders) await kill();
    }
  });
});
