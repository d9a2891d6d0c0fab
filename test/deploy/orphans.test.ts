import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endOrphans } from "../../src/deploy/orphans.ts";
import type { Clock } from "../../src/domain/clock.ts";
import type { Target } from "../../src/domain/target.ts";
import { Site } from "./site.ts";

setDefaultTimeout(120_000);

/** A clock that goes fifty times as fast as the world's. */
const hasty: Clock = {
  now: () => new Date(performance.now() * 50),
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds / 50)),
};

/** A number that no deployment of another test has. */
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

interface Changes {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  readonly detached?: boolean;
}

/** Starts a shell as a deployment would, in a group of its own, and resolves with what it said first. */
async function start(script: string, { env = {}, cwd = "site/releases/one", detached = true }: Changes = {}) {
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
  const [said] = await once(child.stdout, "data");
  return { pid: Number(child.pid), said: String(said).trim(), child };
}

const SLEEP = "echo ready; exec sleep 60";

const end = (...targets: readonly Target[]) =>
  endOrphans(
    targets.map((each) => ({ deployment: DEPLOYMENT, target: each })),
    hasty,
  );

/** Signal 0 only asks; what nobody waited for yet is not gone for it, so this is for those that must live. */
function lives({ child }: { readonly child: ChildProcess }): boolean {
  return child.exitCode === null && child.signalCode === null;
}

async function signalOf({ child }: { readonly child: ChildProcess }): Promise<string | null> {
  if (child.signalCode === null && child.exitCode === null) await once(child, "exit");
  return child.signalCode;
}

test("ends a process that an abandoned deployment left in its target's directory", async () => {
  const orphan = await start(SLEEP);
  expect(await end(target)).toEqual([orphan.pid]);
  expect(await signalOf(orphan)).toBe("SIGTERM");
});

test("kills what does not obey", async () => {
  const orphan = await start("trap '' TERM; echo ready; while :; do sleep 0.01; done");
  expect(await end(target)).toContain(orphan.pid);
  expect(await signalOf(orphan)).toBe("SIGKILL");
});

test("ends the whole group of one that leads it, also who went elsewhere and forgot where it came from", async () => {
  const orphan = await start("(cd / && exec env -i sleep 60) & echo $!; wait");
  expect(await end(target)).toEqual([orphan.pid, Number(orphan.said)].toSorted((a, b) => a - b));
});

test("ends one in somebody else's group alone", async () => {
  const orphan = await start(SLEEP, { detached: false });
  expect(await end(target)).toEqual([orphan.pid]);
  expect(await signalOf(orphan)).toBe("SIGTERM");
});

test("ends one that has a session of its own and went elsewhere, as daemons do", async () => {
  const env = { HOOKLATCH_DIRECTORY: target.directory };
  const daemon = await start(`cd /; ${SLEEP}`, { env });
  expect(await end(target)).toEqual([daemon.pid]);
});

test("finds one whose directory was removed, and through a link to the target's directory", async () => {
  const orphan = await start(SLEEP);
  rmSync(join(target.directory, "releases"), { recursive: true });
  symlinkSync(target.directory, join(root, "link"));
  expect(await end({ ...target, directory: join(root, "link") })).toEqual([orphan.pid]);
});

test("ends those of each abandoned deployment", async () => {
  const other = { ...target, name: "shop", directory: join(root, "shop") };
  mkdirSync(other.directory);
  const first = await start(SLEEP);
  const second = await start(SLEEP, { cwd: "shop", env: { HOOKLATCH_TARGET: "shop" } });
  expect(await end(target, other)).toEqual([first.pid, second.pid].toSorted((a, b) => a - b));
});

describe("lets live", () => {
  const strangers: Readonly<Record<string, Changes>> = {
    "what another deployment started": { env: { HOOKLATCH_DEPLOYMENT: `${DEPLOYMENT}0` } },
    "what another target started": { env: { HOOKLATCH_TARGET: "blog2" } },
    "what works elsewhere": { cwd: "." },
    "what another hooklatch started, by the same names": {
      cwd: ".",
      env: { HOOKLATCH_DIRECTORY: "/srv/blog" },
    },
    "what works in a directory whose name begins alike": { cwd: "site-two" },
  };

  test.each(Object.entries(strangers))("%s", async (_, changes) => {
    mkdirSync(join(root, "site-two"));
    const stranger = await start(SLEEP, changes);
    const orphan = await start(SLEEP);
    expect(await end(target)).toEqual([orphan.pid]);
    expect(lives(stranger)).toBe(true);
  });

  test("everything when no deployment was abandoned", async () => {
    const stranger = await start(SLEEP);
    expect(await end()).toEqual([]);
    expect(lives(stranger)).toBe(true);
  });
});

test("never ends itself, nor the group that it is in", async () => {
  const script = `
    const { endOrphans } = await import(${JSON.stringify(join(import.meta.dir, "../../src/deploy/orphans.ts"))});
    const target = { name: "blog", directory: ${JSON.stringify(target.directory)} };
    const clock = {
      now: () => new Date(performance.now() * 50),
      sleep: (time) => new Promise((resolve) => setTimeout(resolve, time / 50)),
    };
    await endOrphans([{ deployment: ${DEPLOYMENT}, target }], clock);
    console.log("alive");
  `;
  // A shell that a deployment left, and that started a new hooklatch: both are of one group.
  const shell = await start(`trap 'echo asked' TERM; "$BUN" -e "$SCRIPT"`, {
    env: { BUN: process.execPath, SCRIPT: script },
  });
  expect(shell.said).toContain("alive");
});
