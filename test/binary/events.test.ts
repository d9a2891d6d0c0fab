import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { EventSourceMessage } from "eventsource-parser";
import type { ApiDeployment } from "../../src/api/deployment.ts";
import { readServerSentEvents } from "../../src/cli/api/follow.ts";
import { ServedSite } from "../support/served-site.ts";
import { words } from "../support/words.ts";

setDefaultTimeout(120_000);

let site: ServedSite;

beforeEach(() => {
  site = new ServedSite();
});

afterEach(() => site.dispose());

/** A shell command that waits for a file in the target's directory. */
const waitFor = (file: string) => `while test ! -e ${site.path(file)}; do sleep 0.02; done`;
const allow = (file: string) => site.workshop.write(`site/${file}`, "");

/** Reads an event stream until `isEnough` returns true, then disconnects; by default until the stream ends. */
async function readStream(
  path: string,
  lastEventId: string | null,
  isEnough: (received: readonly EventSourceMessage[]) => boolean = () => false,
): Promise<readonly EventSourceMessage[]> {
  const disconnect = new AbortController();
  const headers = {
    accept: "text/event-stream",
    ...(lastEventId === null ? {} : { "last-event-id": lastEventId }),
  };
  const response = await site.open(path, { headers, signal: disconnect.signal });
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
  const received: EventSourceMessage[] = [];
  if (response.body === null) throw new Error("the response has no body");
  for await (const event of readServerSentEvents(response.body)) {
    if (event !== null) received.push(event);
    if (isEnough(received)) break;
  }
  disconnect.abort();
  return received;
}

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index));
const dataOf = (events: readonly EventSourceMessage[]) => events.map(({ data }) => data);

describe("the event stream of a deployment log", () => {
  test("sends each line once and in order to a client that reconnects, then the final state", async () => {
    await site.start({ target: `run = ["seq 1 5000; ${waitFor("go")}; seq 5001 10000; exit 3"]` });
    site.repository.commit({ "index.html": "hello\n" });
    await site.push();
    const path = "/api/deployments/1/log";
    const all: EventSourceMessage[] = [];
    for (const cut of [1, 700, 4321]) {
      const after = all.at(-1)?.id ?? null;
      all.push(...(await readStream(path, after, (received) => all.length + received.length >= cut)));
    }
    const lengthBeforeRest = all.length;
    const rest = readStream(path, all.at(-1)?.id ?? null);
    allow("go");
    all.push(...(await rest));
    expect(all.length).toBeGreaterThan(lengthBeforeRest);
    const end = all.pop();
    expect(end?.event).toBe("end");
    expect(JSON.parse(end?.data ?? "")).toMatchObject({ id: 1, state: "failed", code: "step_failed" });
    expect(words(JSON.parse(end?.data ?? "").reason)).toMatchSnapshot();
    expect(await site.readDeployment(1)).toMatchObject({ steps: [{ exit_code: 3 }] });
    expect(all.every(({ event }) => event === "line")).toBe(true);
    const ids = all.map(({ id }) => Number(id));
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    expect(new Set(ids).size).toBe(ids.length);
    expect(dataOf(all).filter((line) => /^\d+$/.test(line))).toEqual(numbers(1, 10_000));
    // A full read from the beginning and the plain text hold the same lines.
    const again = await readStream(path, null);
    expect(dataOf(again.slice(0, -1))).toEqual(dataOf(all));
    const text = await (await site.open(path)).text();
    expect(text).toBe(`${dataOf(all).join("\n")}\n`);
    expect(dataOf(await readStream(path, String(ids.at(-1)))).map((data) => JSON.parse(data).state)).toEqual([
      "failed",
    ]);
  });

  test("continues after the server was killed and the deployment was interrupted", async () => {
    await site.start({ target: `run = ["seq 1 100; ${waitFor("go")}"]` });
    site.repository.commit({ "index.html": "hello\n" });
    await site.push();
    const path = "/api/deployments/1/log";
    const first = await readStream(path, null, (received) => received.at(-1)?.data === "50");
    await site.untilPrinted(1, "100");
    await site.restart("SIGKILL");
    const rest = await readStream(path, first.at(-1)?.id ?? null);
    expect(dataOf([...first, ...rest]).filter((line) => /^\d+$/.test(line))).toEqual(numbers(1, 100));
    expect(rest.at(-1)).toMatchObject({ event: "end" });
    expect(JSON.parse(rest.at(-1)?.data ?? "")).toMatchObject({ state: "interrupted", code: "crash" });
    allow("go");
    expect(await site.untilEnded(2)).toMatchObject({ state: "succeeded", attempt: 2 });
  });

  test("starts when a queued deployment starts, and ends when a queued deployment is superseded", async () => {
    await site.start({ target: `run = ["${waitFor("go")}; cat index.html"]` });
    for (const page of ["first", "second"]) {
      site.repository.commit({ "index.html": `${page}\n` });
      await site.push();
    }
    const superseded = readStream("/api/deployments/2/log", null);
    site.repository.commit({ "index.html": "third\n" });
    await site.push();
    expect((await superseded).map(({ event, data }) => [event, JSON.parse(data)])).toEqual([
      ["end", { id: 2, state: "superseded", code: "superseded", reason: expect.stringContaining("3") }],
    ]);
    expect(JSON.parse((await superseded)[0]?.data ?? "").reason).toMatchSnapshot();
    const queued = readStream("/api/deployments/3/log", null);
    allow("go");
    const received = await queued;
    expect(dataOf(received)).toContain("third");
    expect(JSON.parse(received.at(-1)?.data ?? "")).toMatchObject({ state: "succeeded" });
  });

  test("rejects an invalid Last-Event-ID and an unknown deployment", async () => {
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

describe("the event stream of the server", () => {
  test("sends each event as it occurs and resumes after the last event received", async () => {
    await site.start({});
    const untilRunning = readStream("/api/events", null, (received) =>
      received.some(({ data }) => data.includes('"running"')),
    );
    // After this response the stream is open, so it misses no event.
    await site.ask("GET", "/api/status");
    site.repository.commit({ "index.html": "hello\n" });
    await site.push();
    const first = await untilRunning;
    await site.untilEnded(1);
    await site.ask("POST", "/api/targets/blog/lock", { reason: "x" });
    const rest = await readStream(
      "/api/events",
      first.at(-1)?.id ?? null,
      (received) => received.at(-1)?.event === "lock",
    );
    const all = [...first, ...rest];
    expect(all.map(({ event }) => event)).toEqual([
      "delivery",
      "deployment",
      "deployment",
      "deployment",
      "lock",
    ]);
    const states = all
      .filter(({ event }) => event === "deployment")
      .map(({ data }) => (JSON.parse(data) as { deployment: ApiDeployment }).deployment.state);
    expect(states).toEqual(["queued", "running", "succeeded"]);
    const ids = all.map(({ id }) => Number(id));
    expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
  });
});

describe("--follow", () => {
  test("prints the output and exits with the result of the deployment", async () => {
    await site.start({ target: `run = ["cat index.html", "test ! -e broken"]` });
    site.repository.commit({ "index.html": "hello\n" });
    const good = await site.run("target", "deploy", "blog", "--follow");
    expect(good.exitCode).toBe(0);
    expect(good.stdout.split("\n")).toContain("hello");
    expect(await site.run("deployment", "log", "1", "-f")).toEqual(good);
    site.repository.commit({ broken: "" });
    const bad = await site.run("target", "deploy", "blog", "--follow");
    expect(bad.exitCode).toBe(1);
    expect(bad.stderr).toMatch(/^hooklatch: .*test ! -e broken.*\n$/);
    expect(words(good.stderr + bad.stderr)).toMatchSnapshot();
    expect(await site.run("deployment", "log", "2", "--follow")).toEqual(bad);
    expect((await site.run("deployment", "log", "2")).stdout).toBe(bad.stdout);
  });

  test("exits with 1 when the deployment is cancelled, and reports who cancelled it", async () => {
    await site.start({ target: `run = ["echo started; sleep 600"]` });
    site.repository.commit({ "index.html": "hello\n" });
    await site.push();
    await site.untilPrinted(1, "started");
    const follow = site.run("deployment", "log", "1", "-f");
    expect(await site.run("deployment", "cancel", "1", "--by", "ada")).toMatchObject({ exitCode: 0 });
    const { exitCode, stderr } = await follow;
    expect(exitCode).toBe(1);
    expect(stderr).toContain("ada");
    expect(stderr).toMatchSnapshot();
  });
});
