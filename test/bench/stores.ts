import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Store } from "../../src/domain/store.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { options, pushFor } from "../store/sample.ts";
import { startCluster } from "../support/postgres.ts";
import { startTestThread } from "../support/store-thread.ts";

/**
 * Accepts per second of both stores in one run, with flushes to disk: `bun test/bench/stores.ts`. Each process has 64
 * senders, whose pushes of 7 KB each queue a deployment. The processes and the database share the machine.
 */

const SENDERS = 64;
const MILLISECONDS = 5_000;

/** Sends until the time is over. Returns how many were accepted, and the 99th percentile of their milliseconds. */
async function measure(store: Store, name: string): Promise<{ accepted: number; p99: number }> {
  const times: number[] = [];
  const end = performance.now() + MILLISECONDS;
  let number = 0;
  async function send(): Promise<void> {
    while (performance.now() < end) {
      const text = JSON.stringify({ name, number: ++number, commits: COMMITS });
      const identity = { id: `${name}-${number}`, hook: "1" };
      const start = performance.now();
      await store.accept(
        { ...pushFor(`target-${number % 8}`), identity, body: Buffer.from(text) },
        options(),
      );
      times.push(performance.now() - start);
    }
  }
  await Promise.all(Array.from({ length: SENDERS }, send));
  times.sort((a, b) => a - b);
  return { accepted: times.length, p99: times[Math.floor(times.length * 0.99)] ?? 0 };
}

const COMMITS = Array.from({ length: 24 }, (_, at) => ({
  id: new Bun.CryptoHasher("sha1").update(String(at)).digest("hex"),
  message: `Commit number ${at} does something useful to the site`,
  author: { name: "Ada", email: "ada@example.com" },
  added: [`content/post-${at}.md`],
  modified: ["index.html", "style.css"],
}));

async function measureSqlite(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "bench-"));
  const store = await startTestThread().open(join(directory, "data"));
  report("SQLite, one process", [await measure(store, "sqlite")]);
  await store.close();
  rmSync(directory, { recursive: true });
}

async function measurePostgres(url: string, processes: number): Promise<void> {
  const children = Array.from({ length: processes }, (_, at) =>
    Bun.spawn([process.execPath, import.meta.path, url, `${processes}-${at}`], { stdout: "pipe" }),
  );
  const texts = await Promise.all(children.map(({ stdout }) => new Response(stdout).text()));
  report(
    `Postgres, ${processes === 1 ? "one process" : `${processes} processes`}`,
    texts.map((text) => JSON.parse(text)),
  );
}

function report(what: string, results: readonly { accepted: number; p99: number }[]): void {
  const total = results.reduce((sum, { accepted }) => sum + accepted, 0);
  const p99 = Math.max(...results.map((result) => result.p99));
  console.log(`${what}: ${Math.round((total * 1000) / MILLISECONDS)} accepts/s, p99 ${Math.round(p99)} ms`);
}

const [url, name] = process.argv.slice(2);
if (url !== undefined && name !== undefined) {
  const store = await openPostgres({ url, host: name });
  console.log(JSON.stringify(await measure(store, name)));
  await store.close();
} else {
  const cluster = await startCluster({ fsync: true });
  const database = await cluster.createDatabase();
  await (await openPostgres({ url: database, host: "first" })).close();
  await measureSqlite();
  for (const processes of [1, 3, 1, 3]) await measurePostgres(database, processes);
  await measureSqlite();
  await cluster.stop();
}
