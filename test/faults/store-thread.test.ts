import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { SECRET, writeConfiguration } from "../support/configuration.ts";
import { type Server, Workshop } from "../support/executable.ts";
import { deliver } from "../support/github.ts";
import { pushBody } from "../support/payloads.ts";
import { digest, Kept } from "../support/stored-data.ts";

setDefaultTimeout(120_000);

let workshop: Workshop;

beforeEach(() => {
  workshop = new Workshop();
  workshop.write("site/index.html", "hello\n");
  const targets = `[[target]]\nname = "site"\nsource = "github"\ndirectory = "site"\nrun = ["true"]`;
  writeConfiguration(workshop, { targets });
});
afterEach(() => workshop.dispose());

const data = () => join(workshop.path, "data");

let made = 0;
const makePush = () => ({ id: crypto.randomUUID(), body: pushBody({ number: ++made }) });
type Push = ReturnType<typeof makePush>;

function send(server: Server, { id, body }: Push): Promise<Response> {
  return deliver(new URL("/github-webhook", server.url), "push", body, { secret: SECRET, id });
}

/** Holds the write lock of the database, so that no commit ends, until the returned function is called. */
function holdCommits(): () => void {
  const database = new Database(join(data(), "hooklatch.db"));
  database.run("PRAGMA busy_timeout = 10000");
  database.run("BEGIN IMMEDIATE");
  return () => {
    database.run("ROLLBACK");
    database.close();
  };
}

async function expectStored(server: Server, push: Push): Promise<void> {
  const response = await send(server, push);
  expect(response.status).toBe(202);
  const { delivery } = (await response.json()) as { delivery: number };
  Kept.read(data(), (store) => {
    expect(store.digestOf(delivery)).toBe(digest(push.body));
    expect(store.redeliveryOf(delivery)).toBeNull();
  });
}

describe("an answer", () => {
  test("is sent only after the commit of its delivery", async () => {
    const server = await workshop.serve([], { SECRET });
    await expectStored(server, makePush());
    const stored = Kept.read(data(), (store) => store.deliveries);
    const release = holdCommits();
    const pushes = Array.from({ length: 5 }, makePush);
    let answered = 0;
    const responses = pushes.map(async (push) => {
      const response = await send(server, push);
      answered += 1;
      return response;
    });
    await Bun.sleep(1_000);
    expect(answered).toBe(0);
    // The event loop does not wait for the disk.
    expect((await fetch(new URL("/healthz", server.url))).status).toBe(200);
    expect(Kept.read(data(), (store) => store.deliveries)).toBe(stored);
    release();
    for (const response of await Promise.all(responses)) expect(response.status).toBe(202);
    expect(Kept.read(data(), (store) => store.deliveries)).toBe(stored + pushes.length);
    expect(await server.end("SIGTERM")).toBe(0);
  });
});

describe("a thread of the store that dies", () => {
  test("makes waiting and later requests fail with 503 and the server exit with 1, and the next start goes on", async () => {
    const preload = join(import.meta.dir, "end-thread.ts");
    const server = await workshop.serve([], { SECRET, BUN_OPTIONS: `--preload ${preload}` });
    const acknowledged = makePush();
    await expectStored(server, acknowledged);
    const release = holdCommits();
    const waiting = Array.from({ length: 5 }, makePush);
    const responses = waiting.map((push) => send(server, push));
    await Bun.sleep(300);
    process.kill(server.pid, "SIGUSR2");
    await Bun.sleep(300);
    release();
    for (const response of await Promise.all(responses)) {
      expect(response.status).toBe(503);
      expect(await response.json()).toMatchObject({ status: "unavailable" });
    }
    expect(await server.exited).toBe(1);
    expect(server.log.some(({ level, reason }) => level === "error" && reason !== undefined)).toBe(true);

    const next = await workshop.serve([], { SECRET });
    await expectStored(next, makePush());
    for (const push of waiting) expect([200, 202]).toContain((await send(next, push)).status);
    await next.until(() => Kept.read(data(), (store) => store.unfinished === 0));
    expect(await next.end("SIGTERM")).toBe(0);
    Kept.read(data(), (store) => {
      expect(store.integrity).toBe("ok");
      expect(store.firstsWith(digest(acknowledged.body))).toHaveLength(1);
      for (const push of waiting) expect(store.firstsWith(digest(push.body))).toHaveLength(1);
    });
  });
});

/** Whether strace(1) can follow a process here. */
const canTrace =
  Bun.which("strace") !== null &&
  Bun.spawnSync(["strace", "-f", "-e", "trace=fsync", "-e", "inject=fsync:error=EIO", "true"]).exitCode === 0;

describe("a disk that reports an error when it is flushed", () => {
  test.skipIf(!canTrace)(
    `causes 503, stores nothing, and accepts the same pushes as new ones afterwards${canTrace ? "" : " (skipped: strace cannot be used here)"}`,
    async () => {
      const server = await workshop.serve([], { SECRET });
      await expectStored(server, makePush());
      await server.until(() => Kept.read(data(), (store) => store.unfinished === 0));
      const before = Kept.read(data(), (store) => store.deliveries);
      const inject = ["-f", "-qq", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO"];
      const strace = Bun.spawn(["strace", ...inject, "-p", String(server.pid)], {
        stdout: "ignore",
        stderr: "ignore",
      });
      // It attaches to each thread.
      await Bun.sleep(1_000);
      const pushes = Array.from({ length: 10 }, makePush);
      const [first, ...others] = pushes;
      const refused = [
        await send(server, first as Push),
        ...(await Promise.all(others.map((push) => send(server, push)))),
      ];
      for (const response of refused) expect(response.status).toBe(503);
      expect(Kept.read(data(), (store) => store.deliveries)).toBe(before);
      strace.kill("SIGINT");
      await strace.exited;
      for (const push of pushes) await expectStored(server, push);
      expect(Kept.read(data(), (store) => store.deliveries)).toBe(before + pushes.length);
      await server.until(() => Kept.read(data(), (store) => store.unfinished === 0));
      expect(await server.end("SIGTERM")).toBe(0);
      expect(Kept.read(data(), (store) => store.integrity)).toBe("ok");
    },
  );
});
