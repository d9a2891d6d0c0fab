import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Fault } from "../../src/domain/fault.ts";
import { frameEvent } from "../../src/http/event-stream.ts";
import { listen } from "../../src/http/listen.ts";
import { COMMIT_A, success } from "../store/sample.ts";
import { until } from "../support/until.ts";
import { type AdminHarness, HOST, openAdmin, TOKEN } from "./admin-harness.ts";
import { parseEvents, readEvents } from "./read-events.ts";

let admin: AdminHarness;
const STREAM = { accept: "text/event-stream" };

beforeEach(async () => {
  admin = await openAdmin();
});

afterEach(() => admin.close());

/** A deployment of blog that runs. */
async function start(): Promise<number> {
  const request = { target: "blog", trigger: "manual", commit: null, choice: null } as const;
  const {
    deployment: { id },
  } = await admin.store.request(request, new Date());
  await admin.store.claim(["blog"], new Date());
  return id;
}

async function write(deployment: number, ...lines: string[]): Promise<void> {
  await admin.store.appendOutput(deployment, lines);
  admin.broadcast.publish({ kind: "output", deployment });
}

async function end(deployment: number): Promise<void> {
  const { deployment: ended } = await admin.store.settle(deployment, success(COMMIT_A), new Date(), []);
  admin.broadcast.publish({ kind: "deployment", deployment: ended });
}

function follow(deployment: number, lastEventId?: string, signal?: AbortSignal): Promise<Response> {
  const resume = lastEventId === undefined ? {} : { "last-event-id": lastEventId };
  return admin.ask("GET", `/api/deployments/${deployment}/log`, {
    headers: { ...STREAM, ...resume },
    ...(signal && { signal }),
  });
}

describe("the event stream of a deployment's output", () => {
  test("gives each line once when it is cut in the middle and resumed, and ends with the state", async () => {
    const id = await start();
    await write(id, "one", "two", "three");
    const cut = await readEvents(await follow(id), 2);
    expect(cut).toEqual([
      { id: "1", event: "line", data: "one" },
      { id: "2", event: "line", data: "two" },
    ]);
    await write(id, "four");

    const resumed = readEvents(await follow(id, cut.at(-1)?.id));
    await write(id, "five");
    await end(id);
    expect(await resumed).toEqual([
      { id: "3", event: "line", data: "three" },
      { id: "4", event: "line", data: "four" },
      { id: "5", event: "line", data: "five" },
      { id: "5", event: "end", data: JSON.stringify({ state: "succeeded", reason: null, id }) },
    ]);
    const over = await readEvents(await follow(id, "5"));
    expect(over.map(({ event }) => event)).toEqual(["end"]);
  });

  test("keeps lines apart that hold returns, field names and control characters", async () => {
    const id = await start();
    const lines = [
      "",
      " a",
      "data: x",
      "10%\r20%\r",
      "\u0000\u0007\u001b[31m",
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

  test("frames any text so that a reader gets it back, with every end of a line as a newline", () => {
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

  test("waits for a deployment that is queued", async () => {
    const {
      deployment: { id },
    } = await admin.store.request(
      { target: "blog", trigger: "manual", commit: null, choice: null },
      new Date(),
    );
    const reading = readEvents(await follow(id), 1);
    await admin.store.claim(["blog"], new Date());
    await write(id, "first");
    expect(await reading).toEqual([{ id: "1", event: "line", data: "first" }]);
  });

  test("sends a comment when nothing happens for a while", async () => {
    const reader = (await follow(await start())).body?.getReader();
    const read = async () => new TextDecoder().decode((await reader?.read())?.value);
    expect(await read()).toBe(":\n\n");
    const next = read();
    admin.passTime();
    expect(await next).toBe(":\n\n");
    await reader?.cancel();
  });

  test("ends when the server begins to stop, and when the reader is gone", async () => {
    const id = await start();
    const away = new AbortController();
    const [left, stopped] = [readEvents(await follow(id, "0", away.signal)), readEvents(await follow(id))];
    away.abort();
    expect(await left).toEqual([]);
    admin.stop();
    expect(await stopped).toEqual([]);
  });

  test("ends and says so in the log when the store fails", async () => {
    const id = await start();
    const store = {
      ...admin.store,
      async readOutputAfter(): Promise<never> {
        throw new Fault("unavailable", "the disk is gone");
      },
    };
    const broken = await openAdmin({ store });
    const path = `/api/deployments/${id}/log`;
    expect(await readEvents(await broken.ask("GET", path, { headers: STREAM }))).toEqual([]);
    expect(broken.log.join("\n")).toContain("an event stream broke off");
    await broken.close();
  });

  test("answers 422 to a Last-Event-ID that is no id, and 404 for no deployment", async () => {
    expect((await follow(await start(), "x")).status).toBe(422);
    expect((await follow(99)).status).toBe(404);
  });

  test("reaches a reader over a socket as it is sent, and is kept by nobody", async () => {
    const id = await start();
    await write(id, "one");
    const server = listen({
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
  test("is one line a line", async () => {
    const id = await start();
    await write(id, "one", "", "two\r");
    const response = await admin.ask("GET", `/api/deployments/${id}/log`);
    expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(await response.text()).toBe("one\n\ntwo\r\n");
  });

  test("is what HEAD is told of too, without the body", async () => {
    const id = await start();
    await write(id, "one");
    for (const headers of [{}, STREAM]) {
      const response = await admin.ask("HEAD", `/api/deployments/${id}/log`, { headers });
      expect([response.status, await response.text()]).toEqual([200, ""]);
    }
  });
});

describe("the event stream of everything", () => {
  const lock = {
    target: "blog",
    reason: "release freeze",
    by: "ada",
    since: new Date("2026-11-21T20:30:00Z"),
    until: null,
  };

  test("tells what happens from now on, in JSON, and nothing of output", async () => {
    admin.broadcast.publish({ kind: "lock", target: "docs", lock: null });
    const reading = readEvents(await admin.ask("GET", "/api/events"), 4);
    const id = await start();
    const deployment = await admin.store.readDeployment(id);
    if (deployment === null) throw new Error("it is not kept");
    const at = "2026-11-21T20:30:00.000Z";
    admin.broadcast.publish({
      kind: "delivery",
      delivery: 1,
      source: "github",
      event: "push",
      status: "ok",
      reason: null,
    });
    admin.broadcast.publish({ kind: "output", deployment: id });
    admin.broadcast.publish({ kind: "deployment", deployment });
    admin.broadcast.publish({ kind: "lock", target: "blog", lock });
    admin.broadcast.publish({ kind: "client", source: "webhook", address: "192.0.2.1", change: "revoked" });
    const events = await reading;
    expect(events.map(({ event }) => event)).toEqual(["delivery", "deployment", "lock", "client"]);
    expect(events.map(({ data }) => JSON.parse(data))).toEqual([
      { at, delivery: 1, source: "github", event: "push", status: "ok", reason: null },
      { at, deployment: await (await admin.ask("GET", `/api/deployments/${id}`)).json() },
      {
        at,
        target: "blog",
        locked: { reason: "release freeze", by: "ada", since: at, until: null },
      },
      { at, source: "webhook", address: "192.0.2.1", change: "revoked" },
    ]);
  });

  test("gives each event once when it is resumed", async () => {
    const reading = readEvents(await admin.ask("GET", "/api/events"), 1);
    for (const target of ["a", "b", "c"]) admin.broadcast.publish({ kind: "lock", target, lock: null });
    const [first] = await reading;
    const headers = { "last-event-id": first?.id ?? "" };
    const rest = await readEvents(await admin.ask("GET", "/api/events", { headers }), 2);
    expect([first, ...rest].map((event) => JSON.parse(event?.data ?? "").target)).toEqual(["a", "b", "c"]);
    expect((await admin.ask("GET", "/api/events", { headers: { "last-event-id": "-1" } })).status).toBe(422);
  });

  test("stops listening when the reader hangs up, also one that was sent what it never took", async () => {
    let listeners = 0;
    const broadcast = {
      ...admin.broadcast,
      subscribe(listener: Parameters<typeof admin.broadcast.subscribe>[0]) {
        listeners++;
        const unsubscribe = admin.broadcast.subscribe(listener);
        return () => {
          listeners--;
          unsubscribe();
        };
      },
    };
    const watched = await openAdmin({ broadcast });
    for (const events of [0, 3]) {
      const reader = (await watched.ask("GET", "/api/events")).body?.getReader();
      await reader?.read();
      await until(() => listeners === 1);
      for (let sent = 0; sent < events; sent++) {
        admin.broadcast.publish({ kind: "lock", target: "blog", lock: null });
      }
      // The first event is waiting to be taken, and those behind it to be asked for.
      await new Promise(setImmediate);
      await reader?.cancel();
      await until(() => listeners === 0);
    }
    await watched.close();
  });
});
