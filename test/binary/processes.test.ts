import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { until } from "../support/until.ts";
import { Blog } from "./blog.ts";

setDefaultTimeout(120_000);

const hasProc = existsSync("/proc/self/environ");

/** Commands that start child processes. Each creates a file and sleeps for an hour. Like the step, they ignore SIGTERM. */
const CHILDREN: Readonly<Record<string, string>> = {
  "in the step's group": `sh -c 'touch "$ALIVE/group"; exec sleep 3600'`,
  "in another session, keeping the output open": `setsid sh -c 'touch "$ALIVE/session"; exec sleep 3600'`,
  "in another session and another directory": `setsid sh -c 'touch "$ALIVE/elsewhere"; cd /; exec sleep 3600' > /dev/null 2>&1`,
  "in another session, with a child of its own": `setsid sh -c 'sleep 3600 & touch "$ALIVE/parent"; wait; sleep 3600'`,
};
const STEP = `trap '' TERM
test ! -e "$ALIVE/enough" || exit 0
${Object.values(CHILDREN)
  .map((start) => `${start} &\n`)
  .join("")}wait
`;

interface Case {
  readonly timeout?: string;
  readonly server?: string;
  /** Ends the deployment. Resolves when all of its processes must have ended. */
  readonly end: (blog: Blog, id: number) => Promise<unknown>;
}

interface CaseWithoutRestart extends Case {
  readonly state: string;
  readonly code: string;
  /** What the reason must name. */
  readonly reason: RegExp;
}

const WITHOUT_RESTART: Readonly<Record<string, CaseWithoutRestart>> = {
  "deployment cancel": {
    async end(blog, id) {
      const answer = await blog.run("deployment", "cancel", String(id), "--by", "Ada");
      expect(answer).toMatchObject({ exitCode: 0, stderr: "" });
      await blog.untilEnded(id);
    },
    state: "cancelled",
    code: "cancelled",
    reason: /\bAda\b/,
  },
  "a timeout": {
    timeout: "4s",
    end: (blog, id) => blog.untilEnded(id),
    state: "failed",
    code: "timeout",
    reason: /\b4s\b.*"sh step\.sh"/,
  },
};

const WITH_RESTART: Readonly<Record<string, Case>> = {
  "SIGTERM to the server": {
    server: 'shutdown_grace = "10ms"',
    async end(blog, id) {
      expect(await blog.server.end("SIGTERM")).toBe(0);
      const ended = blog.server.log.find(({ deployment, state }) => deployment === id && state !== undefined);
      expect(ended).toMatchObject({ state: "interrupted", code: "shutdown" });
      expect(blog.processesOf(id)).toEqual([]);
      expect(blog.read("index.html")).toBe("one");
      blog.workshop.write("alive/enough", "");
      await blog.restart();
    },
  },
  "SIGKILL to the server, followed by a restart,": {
    async end(blog, id) {
      await blog.server.end("SIGKILL");
      expect(blog.processesOf(id).length).toBeGreaterThan(Object.keys(CHILDREN).length);
      blog.workshop.write("alive/enough", "");
      await blog.restart();
      const interrupted = blog.server.log.find(({ deployment }) => deployment === id);
      expect(interrupted).toMatchObject({ code: "crash", retried_as: id + 1 });
    },
  },
};

/** Deploys once successfully, then starts a deployment with all child processes. Returns the id of the second one. */
async function deployWithChildren(blog: Blog, layout: "releases" | "worktree", { timeout, server }: Case) {
  blog.workshop.write("alive/.keep", "");
  const keys = `env = { ALIVE = ${JSON.stringify(blog.at("alive"))} }
run = ["sh step.sh"]
timeout = "${timeout ?? "10m"}"`;
  await blog.serve({ layout, keys, server: server ?? "" });
  const first = await blog.deploy({ "index.html": "one", "step.sh": "true\n" });
  expect(first).toMatchObject({ state: "succeeded" });
  const id = await blog.push({ "index.html": "two", "step.sh": STEP });
  await until(() => readdirSync(blog.at("alive")).length > Object.keys(CHILDREN).length);
  expect(blog.processesOf(id).length).toBeGreaterThan(Object.keys(CHILDREN).length);
  return id;
}

describe.skipIf(!hasProc).each(["releases", "worktree"] as const)("layout %s (needs /proc)", (layout) => {
  // Bun does not support snapshots in concurrent tests: these match only the facts that a reason names.
  test.concurrent.each(Object.entries(WITHOUT_RESTART))(
    "%s ends all processes of the deployment and keeps the live files; the next push is deployed",
    async (_, ending) => {
      await using blog = new Blog();
      const id = await deployWithChildren(blog, layout, ending);
      await ending.end(blog, id);
      expect(blog.processesOf(id)).toEqual([]);
      const ended = await blog.show(id);
      expect(ended).toMatchObject({ state: ending.state, code: ending.code, release: null });
      expect(ended.reason).toMatch(ending.reason);
      expect(blog.read("index.html")).toBe("one");
      expect(blog.releases.length).toBe(layout === "releases" ? 1 : 0);

      const next = await blog.deploy({ "index.html": "three", "step.sh": "true\n" });
      expect(next).toMatchObject({ state: "succeeded", reason: null });
      expect(blog.read("index.html")).toBe("three");
    },
  );

  test.concurrent.each(Object.entries(WITH_RESTART))(
    "%s ends all processes of the deployment, which is queued again and succeeds",
    async (_, ending) => {
      await using blog = new Blog();
      const id = await deployWithChildren(blog, layout, ending);
      await ending.end(blog, id);
      const ended = await blog.show(id);
      expect(ended).toMatchObject({ state: "interrupted", retried_as: id + 1 });
      expect(ended.reason).toMatch(new RegExp(`\\b${id + 1}\\b`));
      expect(await blog.untilEnded(id + 1)).toMatchObject({
        state: "succeeded",
        trigger: "push",
        commit: blog.repository.tip,
      });
      // The next deployment starts only after these processes have ended.
      expect(blog.processesOf(id)).toEqual([]);
      expect(blog.read("index.html")).toBe("two");
    },
  );
});
