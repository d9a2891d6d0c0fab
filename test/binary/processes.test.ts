import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { until } from "../support/until.ts";
import { Blog } from "./blog.ts";

setDefaultTimeout(120_000);

const hasProc = existsSync("/proc/self/environ");

/** Each tells that it lives, and would for an hour. None of them heeds TERM, nor does the step. */
const CHILDREN: Readonly<Record<string, string>> = {
  "in the step's group": `sh -c 'touch "$ALIVE/group"; exec sleep 3600'`,
  "in a session of its own, holding the output open": `setsid sh -c 'touch "$ALIVE/session"; exec sleep 3600'`,
  "in a session of its own, elsewhere": `setsid sh -c 'touch "$ALIVE/elsewhere"; cd /; exec sleep 3600' > /dev/null 2>&1`,
  "in a session of its own, with a child": `setsid sh -c 'sleep 3600 & touch "$ALIVE/parent"; wait; sleep 3600'`,
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
  /** Ends the deployment; resolves when nothing of it may live any more. */
  readonly end: (blog: Blog, id: number) => Promise<unknown>;
  readonly ended: Readonly<Record<string, unknown>>;
}

const RUNNING_ON: Readonly<Record<string, Case>> = {
  "deployment cancel": {
    async end(blog, id) {
      const answer = await blog.run("deployment", "cancel", String(id), "--by", "Ada");
      expect(answer).toMatchObject({ exitCode: 0, stderr: "" });
      await blog.ended(id);
    },
    ended: { state: "cancelled", reason: "cancelled by Ada" },
  },
  "a timeout": {
    timeout: "4s",
    end: (blog, id) => blog.ended(id),
    ended: { state: "failed", reason: 'timed out after 4s while running "sh step.sh"' },
  },
};

const RESTARTED: Readonly<Record<string, Case>> = {
  "SIGTERM to the server": {
    server: 'shutdown_grace = "10ms"',
    async end(blog, id) {
      expect(await blog.server.end("SIGTERM")).toBe(0);
      expect(blog.processesOf(id)).toEqual([]);
      expect(blog.read("index.html")).toBe("one");
      blog.workshop.write("alive/enough", "");
      await blog.restart();
    },
    ended: { state: "interrupted", reason: "hooklatch was stopped while it ran" },
  },
  "SIGKILL to the server, once it is started again,": {
    async end(blog, id) {
      await blog.server.end("SIGKILL");
      expect(blog.processesOf(id).length).toBeGreaterThan(Object.keys(CHILDREN).length);
      blog.workshop.write("alive/enough", "");
      await blog.restart();
    },
    ended: { state: "interrupted", reason: "hooklatch was killed, or the machine stopped, while it ran" },
  },
};

/** Starts a deployment with all the children, on top of one that went well. Gives its number. */
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
  test.concurrent.each(Object.entries(RUNNING_ON))(
    "%s leaves no process of the deployment, and live what was; the next push is deployed",
    async (_, way) => {
      await using blog = new Blog();
      const id = await deployWithChildren(blog, layout, way);
      await way.end(blog, id);
      expect(blog.processesOf(id)).toEqual([]);
      expect(await blog.show(id)).toMatchObject({ ...way.ended, release: null });
      expect(blog.read("index.html")).toBe("one");
      expect(blog.releases.length).toBe(layout === "releases" ? 1 : 0);

      const next = await blog.deploy({ "index.html": "three", "step.sh": "true\n" });
      expect(next).toMatchObject({ state: "succeeded", reason: null });
      expect(blog.read("index.html")).toBe("three");
    },
  );

  test.concurrent.each(Object.entries(RESTARTED))(
    "%s leaves no process of the deployment, which is queued again and succeeds",
    async (_, way) => {
      await using blog = new Blog();
      const id = await deployWithChildren(blog, layout, way);
      await way.end(blog, id);
      expect(await blog.show(id)).toMatchObject({
        ...way.ended,
        reason: `${way.ended.reason}; deployment ${id + 1} follows it`,
      });
      expect(await blog.ended(id + 1)).toMatchObject({
        state: "succeeded",
        trigger: "push",
        commit: blog.repository.tip,
      });
      // None of them met the next deployment, which waits until they are gone.
      expect(blog.processesOf(id)).toEqual([]);
      expect(blog.read("index.html")).toBe("two");
    },
  );
});
