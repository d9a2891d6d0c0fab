import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { openListener } from "../../src/http/server/listen.ts";
import { frameEvent } from "../../src/http/sse.ts";
import { AppError } from "../../src/lib/errors.ts";
import { COMMIT_A, success } from "../store/sample.ts";
import { until } from "../support/until.ts";
import { type AdminHarness, HOST, openAdmin, TOKEN } from "./admin-harness.ts";
import { messagesOf } from "./log-lines.ts";
import { parseEvents, readEvents } from "./read-events.ts";

let admin: AdminHarness;
const STREAM = { accept: "text/event-stream" };

beforeEach(async () => {
  admin = await openAdmin();
});

afterEach(() => admin.close());

/** Starts a deployment of the target blog and returns its id. */
async function start(): Promise<number> {
  const request = { target: "blog", trigger: "manual", commit: null, choice: null } as const;
  const {
    deployment: { id },
  } = await admin.store.queueDeployment(request, new Date());
  await admin.store.claim(["blog"], new Date());
  return id;
}

async function write(deployment: number, ...lines: string[]): Promise<void> {
  await admin.store.appendOutput(deployment, lines);
  admin.eventBus.publish({ kind: "output", deployment });
}

async function end(deployment: number): Promise<void> {
  const { deployment: ended } = await admin.store.finish(deployment, success(COMMIT_A), new Date(), []);
  admin.eventBus.publish({ kind: "deployment", deployment: ended });
}

function follow(deployment: number, lastEventId?: string, signal?: AbortSignal): Promise<Response> {
  const resume = lastEventId === undefined ? {} : { "last-event-id": lastEventId };
  return admin.request("GET", `/api/deployments/${deployment}/log`, {
    headers: { ...STREAM, ...resume },
    ...(signal && { signal }),
  });
}

describe("event stream of a deployment's output", () => {
  test("sends each line once when a client reconnects, and ends with the state", async () => {
    const id = await start();
    await write(id, "one", "two", "three");
    const first = await readEvents(await follow(id), 2);
    expect(first).toEqual([
      { id: "1", event: "line", data: "one" },
      { id: "2", event: "line", data: "two" },
    ]);
    await write(id, "four");

    const resumed = readEvents(await follow(id, first.at(-1)?.id));
    await write(id, "five");
    await end(id);
    expect(await resumed).toEqual([
      { id: "3", event: "line", data: "three" },
      { id: "4", event: "line", data: "four" },
      { id: "5", event: "line", data: "five" },
      { id: "5", event: "end", data: JSON.stringify({ state: "succeeded", code: null, reason: null, id }) },
    ]);
    const ended = await readEvents(await follow(id, "5"));
    expect(ended.map(({ event }) => event)).toEqual(["end"]);
  });

  test("separates lines that contain carriage returns, field names and control characters", async () => {
    const id = await start();
    const lines = [
      "",
      " a",
      "data: x",
      "10%\r20%\r",
      "\u0001\u0007\u001b[31m",
      "event: end",
      ":",
      "\ufeffé\ufffd",
    ];
    await write(id, ...lines);
    await end(id);
    const read = await readEvents(await follow(id));
    expect(read.slice(0, -1).map(({ data }) => data)).toEqual(
      lines.map((line) => line.replaceAll("\r", "\n")),
    );
    expect(read.at(-1)?.event).toBe("end");
  });

  test("encodes any text so that a client decodes it, with line ends as newlines", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.nat(), (data, id) => {
        const [read, ...others] = parseEvents(frameEvent({ id, event: "line", data: `\r${data}\n` }));
        expect(read).toEqual({
          id: String(id),
          event: "line",
          data: `\r${data}\n`.replaceAll(/\r\n|\r/g, "\n"),
        });
        expect(others).toEqual([]);
      }),
    );
  });

  test("waits for a queued deployment", async () => {
    const {
      deployment: { id },
    } = await admin.store.queueDeployment(
      { target: "blog", trigger: "manual", commit: null, choice: null },
      new Date(),
    );
    const reading = readEvents(await follow(id), 1);
    await admin.store.claim(["blog"], new Date());
    await write(id, "first");
    expect(await reading).toEqual([{ id: "1", event: "line", data: "first" }]);
  });

  test("sends a comment when there are no events for a while", async () => {
    const reader = (await follow(await start())).body?.getReader();
    const read = async () => new TextDecoder().decode((await reader?.read())?.value);
    expect(await read()).toBe(":\n\n");
    const next = read();
    admin.clock.advanceToNext();
    expect(await next).toBe(":\n\n");
    await reader?.cancel();
  });

  test("ends when the server stops and when the client disconnects", async () => {
    const id = await start();
    const disconnect = new AbortController();
    const [left, stopped] = [
      readEvents(await follow(id, "0", disconnect.signal)),
      readEvents(await follow(id)),
    ];
    disconnect.abort();
    expect(await left).toEqual([]);
    admin.stop();
    expect(await stopped).toEqual([]);
  });

  test("ends and logs an error when the store fails", async () => {
    const id = await start();
    const store = {
      ...admin.store,
      async readOutputAfter(): Promise<never> {
        throw new AppError("unavailable", "the disk is gone");
      },
    };
    const broken = await openAdmin({ store });
    const path = `/api/deployments/${id}/log`;
    expect(await readEvents(await broken.request("GET", path, { headers: STREAM }))).toEqual([]);
    const lines = broken.log.filter((line) => line.includes("the disk is gone"));
    expect(lines).toHaveLength(1);
    expect(messagesOf(lines)).toMatchSnapshot();
    await broken.close();
  });

  test("returns 422 for an invalid Last-Event-ID and 404 for an unknown deployment", async () => {
    expect((await follow(await start(), "x")).status).toBe(422);
    expect((await follow(99)).status).toBe(404);
  });

  test("reaches a client over a socket immediately and forbids caching", async () => {
    const id = await start();
    await write(id, "one");
    const server = await openListener({
      host: "127.0.0.1",
      port: 0,
      certificate: null,
      maxBody: 0,
      handle: (request) => {
        const headers = new Headers(request.headers);
        headers.set("host", HOST);
        return admin.send(new Request(request, { headers }));
      },
    });
    const headers = { ...STREAM, authorization: `Bearer ${TOKEN}` };
    const response = await fetch(new URL(`/api/deployments/${id}/log`, server.url), { headers });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await readEvents(response, 1)).toEqual([{ id: "1", event: "line", data: "one" }]);
    await server.stop(0);
  });
});

describe("a deployment's output as text", () => {
  test("has one line for each output line", async () => {
    const id = await start();
    await write(id, "one", "", "two\r");
    const response = await admin.request("GET", `/api/deployments/${id}/log`);
    expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(await response.text()).toBe("one\n\ntwo\r\n");
  });

  test("has no body in the response to HEAD", async () => {
    const id = await start();
    await write(id, "one");
    for (const headers of [{}, STREAM]) {
      const response = await admin.request("HEAD", `/api/deployments/${id}/log`, { headers });
      expect([response.status, await response.text()]).toEqual([200, ""]);
    }
  });
});

describe("event stream of the server", () => {
  const lock = {
    target: "blog",
    reason: "release freeze",
    by: "ada",
    since: new Date("2026-11-21T20:30:00Z"),
    until: null,
  };

  test("sends later events as JSON, without output", async () => {
    admin.eventBus.publish({ kind: "lock", target: "docs", lock: null });
    const reading = readEvents(await admin.request("GET", "/api/events"), 4);
    const id = await start();
    const deployment = await admin.store.readDeployment(id);
    if (deployment === null) throw new Error("the deployment is missing");
    const at = "2026-11-21T20:30:00.000Z";
    admin.eventBus.publish({
      kind: "delivery",
      delivery: 1,
      source: "github",
      event: "push",
      status: "ok",
      reason: null,
    });
    admin.eventBus.publish({ kind: "output", deployment: id });
    admin.eventBus.publish({ kind: "deployment", deployment });
    admin.eventBus.publish({ kind: "lock", target: "blog", lock });
    admin.eventBus.publish({ kind: "client", source: "webhook", address: "192.0.2.1", change: "revoked" });
    const events = await reading;
    expect(events.map(({ event }) => event)).toEqual(["delivery", "deployment", "lock", "client"]);
    expect(events.map(({ data }) => JSON.parse(data))).toEqual([
      { at, delivery: 1, source: "github", event: "push", status: "ok", reason: null },
      { at, deployment: await (await admin.request("GET", `/api/deployments/${id}`)).json() },
      {
        at,
        target: "blog",
        locked: { reason: "release freeze", by: "ada", since: at, until: null },
      },
      { at, source: "webhook", address: "192.0.2.1", change: "revoked" },
    ]);
  });

  test("sends each event once when a client reconnects", async () => {
    const reading = readEvents(await admin.request("GET", "/api/events"), 1);
    for (const target of ["a", "b", "c"]) admin.eventBus.publish({ kind: "lock", target, lock: null });
    const [first] = await reading;
    const headers = { "last-event-id": first?.id ?? "" };
    const rest = await readEvents(await admin.request("GET", "/api/events", { headers }), 2);
    expect([first, ...rest].map((event) => JSON.parse(event?.data ?? "").target)).toEqual(["a", "b", "c"]);
    expect((await admin.request("GET", "/api/events", { headers: { "last-event-id": "-1" } })).status).toBe(
      422,
    );
  });

  test("unsubscribes when the client disconnects, also with unread events", async () => {
    let listeners = 0;
    const eventBus = {
      ...admin.eventBus,
      subscribe(listener: Parameters<typeof admin.eventBus.subscribe>[0]) {
        listeners++;
        const unsubscribe = admin.eventBus.subscribe(listener);
        return () => {
          listeners--;
          unsubscribe();
        };
      },
    };
    const watched = await openAdmin({ eventBus });
    for (const events of [0, 3]) {
      const reader = (await watched.request("GET", "/api/events")).body?.getReader();
      await reader?.read();
      await until(() => listeners === 1);
      for (let sent = 0; sent < events; sent++) {
        admin.eventBus.publish({ kind: "lock", target: "blog", lock: null });
      }
      // Waits until the first event is in the stream and the others are behind it.
      await new Promise(setImmediate);
      await reader?.cancel();
      await until(() => listeners === 0);
    }
    await watched.close();
  });
});
