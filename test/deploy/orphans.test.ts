import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { killOrphans } from "../../src/deploy/process/orphans.ts";
import type { Target } from "../../src/domain/target.ts";
import { createClock, Site } from "./site.ts";

setDefaultTimeout(120_000);

const ORPHANS = join(import.meta.dir, "../../src/deploy/process/orphans.ts");
const CLOCK = join(import.meta.dir, "../support/clock.ts");

/** A deployment number that no other test uses. */
const DEPLOYMENT = 900_000_000 + process.pid;

let root: string;
let target: Target;
let children: ChildProcess[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "hooklatch-test-"));
  const site = new Site("releases");
  target = { ...site.target(), directory: join(root, "site") };
  site.remove();
  mkdirSync(join(target.directory, "releases/one"), { recursive: true });
});
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  children = [];
  rmSync(root, { recursive: true });
});

interface Overrides {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  readonly detached?: boolean;
}

/** Starts a shell as a deployment does, in its own process group, and resolves with its first output. */
async function start(
  script: string,
  { env = {}, cwd = "site/releases/one", detached = true }: Overrides = {},
) {
  const child = spawn("/bin/sh", ["-c", script], {
    cwd: join(root, cwd),
    env: {
      PATH: "/usr/bin:/bin",
      HOOKLATCH_TARGET: "blog",
      HOOKLATCH_DEPLOYMENT: String(DEPLOYMENT),
      ...env,
    },
    stdio: ["ignore", "pipe", "ignore"],
    detached,
  });
  children.push(child);
  const [output] = await once(child.stdout, "data");
  return { pid: Number(child.pid), output: String(output).trim(), child };
}

const SLEEP = "echo ready; exec sleep 60";

const end = (...targets: readonly Target[]) =>
  killOrphans(
    targets.map((each) => ({ deployment: DEPLOYMENT, target: each })),
    createClock(),
  );

/** Whether a child runs. Signal 0 would also succeed for a zombie. */
function isAlive({ child }: { readonly child: ChildProcess }): boolean {
  return child.exitCode === null && child.signalCode === null;
}

async function signalOf({ child }: { readonly child: ChildProcess }): Promise<string | null> {
  if (child.signalCode === null && child.exitCode === null) await once(child, "exit");
  return child.signalCode;
}

test("ends a process that an abandoned deployment left in the target directory", async () => {
  const orphan = await start(SLEEP);
  expect(await end(target)).toEqual([orphan.pid]);
  expect(await signalOf(orphan)).toBe("SIGTERM");
});

test("kills a process that ignores SIGTERM", async () => {
  const orphan = await start("trap '' TERM; echo ready; while :; do sleep 0.01; done");
  expect(await end(target)).toContain(orphan.pid);
  expect(await signalOf(orphan)).toBe("SIGKILL");
});

test("ends the whole group of a leader, with members that changed directory and environment", async () => {
  const orphan = await start("(cd / && exec env -i sleep 60) & echo $!; wait");
  expect(await end(target)).toEqual([orphan.pid, Number(orphan.output)].toSorted((a, b) => a - b));
});

test("ends only the process itself in the group of another process", async () => {
  const orphan = await start(SLEEP, { detached: false });
  expect(await end(target)).toEqual([orphan.pid]);
  expect(await signalOf(orphan)).toBe("SIGTERM");
});

test("ends a daemon with its own session in another directory", async () => {
  const env = { HOOKLATCH_DIRECTORY: target.directory };
  const daemon = await start(`cd /; ${SLEEP}`, { env });
  expect(await end(target)).toEqual([daemon.pid]);
});

test("finds a process whose directory was removed, and a target directory that is a link", async () => {
  const orphan = await start(SLEEP);
  rmSync(join(target.directory, "releases"), { recursive: true });
  symlinkSync(target.directory, join(root, "link"));
  expect(await end({ ...target, directory: join(root, "link") })).toEqual([orphan.pid]);
});

test("ends the processes of each abandoned deployment", async () => {
  const other = { ...target, name: "shop", directory: join(root, "shop") };
  mkdirSync(other.directory);
  const first = await start(SLEEP);
  const second = await start(SLEEP, { cwd: "shop", env: { HOOKLATCH_TARGET: "shop" } });
  expect(await end(target, other)).toEqual([first.pid, second.pid].toSorted((a, b) => a - b));
});

describe("keeps alive", () => {
  const strangers: Readonly<Record<string, Overrides>> = {
    "a process of another deployment": { env: { HOOKLATCH_DEPLOYMENT: `${DEPLOYMENT}0` } },
    "a process of another target": { env: { HOOKLATCH_TARGET: "blog2" } },
    "a process in another directory": { cwd: "." },
    "a process of another hooklatch with the same target and deployment": {
      cwd: ".",
      env: { HOOKLATCH_DIRECTORY: "/srv/blog" },
    },
    "a process in a directory whose name has the same prefix": { cwd: "site-two" },
  };

  test.each(Object.entries(strangers))("%s", async (_, overrides) => {
    mkdirSync(join(root, "site-two"));
    const stranger = await start(SLEEP, overrides);
    const orphan = await start(SLEEP);
    expect(await end(target)).toEqual([orphan.pid]);
    expect(isAlive(stranger)).toBe(true);
  });

  test("all processes when no deployment was abandoned", async () => {
    const stranger = await start(SLEEP);
    expect(await end()).toEqual([]);
    expect(isAlive(stranger)).toBe(true);
  });
});

test("does not end its own process group", async () => {
  const script = `
    const { killOrphans } = await import(${JSON.stringify(ORPHANS)});
    const { TestClock } = await import(${JSON.stringify(CLOCK)});
    const target = { name: "blog", directory: ${JSON.stringify(target.directory)} };
    await killOrphans([{ deployment: ${DEPLOYMENT}, target }], new TestClock({ skips: 30_000 }));
    console.log("alive");
  `;
  // A shell left by a deployment starts a new hooklatch in its own group.
  const shell = await start(`trap 'echo terminated' TERM; "$BUN" -e "$SCRIPT"`, {
    env: { BUN: process.execPath, SCRIPT: script },
  });
  expect(shell.output).toContain("alive");
});
