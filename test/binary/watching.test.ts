import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { DeploymentAnswer } from "../../src/cli/admin-answers.ts";
import { readEvents, type StreamEvent } from "../../src/cli/event-stream.ts";
import { ServedSite } from "../support/served-site.ts";

setDefaultTimeout(120_000);

let site: ServedSite;

beforeEach(() => {
  site = new ServedSite();
});

afterEach(() => site.dispose());

/** A step that waits for a file below the target's directory. */
const waitFor = (file: string) => `while test ! -e ${site.path(file)}; do sleep 0.02; done`;
const allow = (file: string) => site.workshop.write(`site/${file}`, "");

/** Hears an event stream until `enough` of it came, and then hangs up; or to its end. */
async function hear(
  path: string,
  lastEventId: string | null,
  enough: (heard: readonly StreamEvent[]) => boolean = () => false,
): Promise<readonly StreamEvent[]> {
  const leaving = new AbortController();
  const headers = {
    accept: "text/event-stream",
    ...(lastEventId === null ? {} : { "last-event-id": lastEventId }),
  };
  const response = await site.open(path, { headers, signal: leaving.signal });
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
  const heard: StreamEvent[] = [];
  if (response.body === null) throw new Error("there is no stream");
  for await (const event of readEvents(response.body)) {
    if (event !== null) heard.push(event);
    if (enough(heard)) break;
  }
  leaving.abort();
  return heard;
}

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index));
const dataOf = (events: readonly StreamEvent[]) => events.map(({ data }) => data);

describe("the log of a deployment as an event stream", () => {
  test("cut amid many lines and resumed gives every line once, in order, and the end with the state", async () => {
    await site.start({ target: `run = ["seq 1 5000; ${waitFor("go")}; seq 5001 10000; exit 3"]` });
    site.repository.commit({ "index.html": "hello\n" });
    await site.push();
    const path = "/api/deployments/1/log";
    const all: StreamEvent[] = [];
    for (const cut of [1, 700, 4321]) {
      const after = all.at(-1)?.id ?? null;
      all.push(...(await hear(path, after, (heard) => all.length + heard.length >= cut)));
    }
    const beforeMore = all.length;
    const rest = hear(path, all.at(-1)?.id ?? null);
    allow("go");
    all.push(...(await rest));
    expect(all.length).toBeGreaterThan(beforeMore);
    const end = all.pop();
    expect(end?.type).toBe("end");
    expect(JSON.parse(end?.data ?? "")).toMatchObject({ id: 1, state: "failed" });
    expect(JSON.parse(end?.data ?? "").reason).toContain("exited with 3");
    expect(all.every(({ type }) => type === "line")).toBe(true);
    const ids = all.map(({ id }) => Number(id));
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    expect(new Set(ids).size).toBe(ids.length);
    expect(dataOf(all).filter((line) => /^\d+$/.test(line))).toEqual(numbers(1, 10_000));
    // Read once more from the beginning, and as text, it is the same.
    const again = await hear(path, null);
    expect(dataOf(again.slice(0, -1))).toEqual(dataOf(all));
    const text = await (await site.open(path)).text();
    expect(text).toBe(`${dataOf(all).join("\n")}\n`);
    expect(dataOf(await hear(path, String(ids.at(-1)))).map((data) => JSON.parse(data).state)).toEqual([
      "failed",
    ]);
  });

  test("goes on after the server was killed and the deployment was interrupted", async () => {
    await site.start({ target: `run = ["seq 1 100; ${waitFor("go")}"]` });
    site.repository.commit({ "index.html": "hello\n" });
    await site.push();
    const path = "/api/deployments/1/log";
    const first = await hear(path, null, (heard) => heard.at(-1)?.data === "50");
    await site.untilPrinted(1, "100");
    await site.restart("SIGKILL");
    const rest = await hear(path, first.at(-1)?.id ?? null);
    expect(dataOf([...first, ...rest]).filter((line) => /^\d+$/.test(line))).toEqual(numbers(1, 100));
    expect(rest.at(-1)).toMatchObject({ type: "end" });
    expect(JSON.parse(rest.at(-1)?.data ?? "")).toMatchObject({ state: "interrupted" });
    allow("go");
    expect(await site.untilEnded(2)).toMatchObject({ state: "succeeded", attempt: 2 });
  });

  test("of one that waits begins when it does, and of one that is superseded ends", async () => {
    await site.start({ target: `run = ["${waitFor("go")}; cat index.html"]` });
    for (const page of ["first", "second"]) {
      site.repository.commit({ "index.html": `${page}\n` });
      await site.push();
    }
    const superseded = hear("/api/deployments/2/log", null);
    site.repository.commit({ "index.html": "third\n" });
    await site.push();
    expect((await superseded).map(({ type, data }) => [type, JSON.parse(data)])).toEqual([
      ["end", { id: 2, state: "superseded", reason: "deployment 3 is newer" }],
    ]);
    const waiting = hear("/api/deployments/3/log", null);
    allow("go");
    const heard = await waiting;
    expect(dataOf(heard)).toContain("third");
    expect(JSON.parse(heard.at(-1)?.data ?? "")).toMatchObject({ state: "succeeded" });
  });

  test("refuses a Last-Event-ID that is none, and a deployment that is none", async () => {
    await site.start({});
    await site.deploy({ "index.html": "hello\n" });
    const accept = "text/event-stream";
    for (const id of ["x", "-1", "1.5", "99999999999999999999"]) {
      const { status } = await site.open("/api/deployments/1/log", {
        headers: { accept, "last-event-id": id },
      });
      expect([id, status]).toEqual([id, 422]);
    }
    expect((await site.open("/api/deployments/2/log", { headers: { accept } })).status).toBe(404);
  });
});

describe("everything that happens", () => {
  test("is told as it happens, and resumed after the last that was heard", async () => {
    await site.start({});
    const began = hear("/api/events", null, (heard) => heard.some(({ data }) => data.includes('"running"')));
    // The stream stands before anything happens.
    await site.ask("GET", "/api/status");
    site.repository.commit({ "index.html": "hello\n" });
    await site.push();
    const first = await began;
    await site.untilEnded(1);
    await site.ask("POST", "/api/targets/blog/lock", { reason: "x" });
    const rest = await hear(
      "/api/events",
      first.at(-1)?.id ?? null,
      (heard) => heard.at(-1)?.type === "lock",
    );
    const all = [...first, ...rest];
    expect(all.map(({ type }) => type)).toEqual([
      "delivery",
      "deployment",
      "deployment",
      "deployment",
      "lock",
    ]);
    const states = all
      .filter(({ type }) => type === "deployment")
      .map(({ data }) => (JSON.parse(data) as { deployment: DeploymentAnswer }).deployment.state);
    expect(states).toEqual(["queued", "running", "succeeded"]);
    const ids = all.map(({ id }) => Number(id));
    expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
  });
});

describe("following from the command line", () => {
  test("shows the output and exits with the deployment's outcome", async () => {
    await site.start({ target: `run = ["cat index.html", "test ! -e broken"]` });
    site.repository.commit({ "index.html": "hello\n" });
    const good = await site.run("target", "deploy", "blog", "--follow");
    expect([good.exitCode, good.stderr]).toEqual([0, "hooklatch: deployment 1 succeeded\n"]);
    expect(good.stdout.split("\n")).toContain("hello");
    expect(await site.run("deployment", "log", "1", "-f")).toEqual(good);
    site.repository.commit({ broken: "" });
    const bad = await site.run("target", "deploy", "blog", "--follow");
    expect(bad.exitCode).toBe(1);
    expect(bad.stderr).toMatch(/^hooklatch: deployment 2 failed: .*test ! -e broken.*\n$/);
    expect(await site.run("deployment", "log", "2", "--follow")).toEqual(bad);
    expect((await site.run("deployment", "log", "2")).stdout).toBe(bad.stdout);
  });

  test("a cancelled one exits with 1 and names who did it", async () => {
    await site.start({ target: `run = ["echo begun; sleep 600"]` });
    site.repository.commit({ "index.html": "hello\n" });
    await site.push();
    await site.untilPrinted(1, "begun");
    const follow = site.run("deployment", "log", "1", "-f");
    expect(await site.run("deployment", "cancel", "1", "--by", "ada")).toMatchObject({ exitCode: 0 });
    expect(await follow).toMatchObject({
      exitCode: 1,
      stderr: "hooklatch: deployment 1 was cancelled by ada\n",
    });
  });
});
