import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

setDefaultTimeout(600_000);

const ROOT = join(import.meta.dir, "../..");

/** Deno from npm, whose package has one directory for each platform; null on those that it does not support. */
const DENO = findDeno();

function findDeno(): string | null {
  const packages = join(ROOT, "node_modules/@deno");
  const found = existsSync(packages) ? readdirSync(packages) : [];
  return found.map((name) => join(packages, name, "deno")).find(existsSync) ?? null;
}

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "hooklatch-deno-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Runs a program in the repository and returns what it printed if it failed; an empty text if not. */
async function failureOf(argv: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const child = Bun.spawn([...argv], {
    cwd: ROOT,
    env: { ...process.env, NO_COLOR: "1", DENO_DIR: join(directory, "cache"), ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const output = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return (await child.exited) === 0 ? "" : output.join("\n");
}

test.skipIf(DENO === null)(
  "the contracts of stores, providers and layouts hold on Deno (needs deno)",
  async () => {
    const suites = ["store/store.test.ts", "providers/provider.test.ts", "deploy/layout.test.ts"];
    const failure = await failureOf([
      ...[String(DENO), "test", "--quiet", "--allow-all", "--no-check"],
      // Without the store in a thread: each of its tests would load the sources again. The executable has the thread.
      "--filter=/^(sqlite store|provider|layout)/",
      `--import-map=${join(import.meta.dir, "deno/import-map.json")}`,
      ...suites.map((suite) => join(ROOT, "test", suite)),
    ]);
    expect(failure).toBe("");
  },
);

test.skipIf(DENO === null)(
  "the bundle passes the tests of the executable on Deno: TLS, sources, deployments, events, processes (needs deno)",
  async () => {
    expect(await failureOf([process.execPath, "run", "build:deno"])).toBe("");
    const executable = join(directory, "hooklatch");
    const cache = join(directory, "cache");
    const command = `DENO_DIR='${cache}' exec '${DENO}' run --quiet --allow-all '${join(ROOT, "dist/hooklatch.mjs")}' "$@"`;
    writeFileSync(executable, `#!/bin/sh\n${command}\n`, { mode: 0o755 });
    const subjects = ["tls", "sources", "deploy", "processes", "systemd"];
    const files = subjects.map((subject) => join(ROOT, `test/binary/${subject}.test.ts`));
    // A deployment with a time limit of seconds is not for a machine that runs other tests beside these.
    const options = ["--timeout=120000", "--test-name-pattern=^(?!.*a timeout ends)"];
    const failure = await failureOf([process.execPath, "test", ...options, ...files], {
      HOOKLATCH_EXECUTABLE: executable,
      // Writes no snapshot.
      CI: "1",
    });
    expect(failure).toBe("");
  },
);
