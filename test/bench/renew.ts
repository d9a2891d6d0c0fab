import { createHmac, randomUUID } from "node:crypto";
import { readFileSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { type CertificatePair, makeCertificate } from "../support/certificate.ts";
import { SECRET, writeConfiguration } from "../support/configuration.ts";
import type { Workshop } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";

/**
 * Counts the connections that are lost when a certificate is renewed, for several ways to replace it. Two processes
 * continuously open new connections and send a signed ping of 7 KB. Every connection without a 200 response is counted
 * by its outcome.
 */

const SWAPS = 60;
const PAUSE = 200;
const CLIENTS = 2;
const LOOPS = 4;

/** A server whose certificate can be replaced. */
interface Contestant {
  readonly name: string;
  readonly port: number;
  swap(pair: CertificatePair): Promise<void>;
  end(): Promise<unknown>;
}

/** Measures the executable and the alternatives. */
export async function benchRenewal(workshop: Workshop): Promise<void> {
  const pairs = ["one", "two"].map((name) => makeCertificate(workshop.path, name)) as [
    CertificatePair,
    CertificatePair,
  ];
  console.log(`\n${SWAPS} swaps, ${CLIENTS * LOOPS} clients that continuously open new connections`);
  console.log("connections    lost  a swap");
  for (const start of [startHooklatch, startTwoServers, startOneByOne]) {
    const contestant = await start(workshop, pairs[0]);
    const counts = await swapUnderLoad(contestant, pairs);
    const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
    const lost = all - (counts.answered ?? 0);
    const kinds = Object.entries(counts).filter(([kind]) => kind !== "answered");
    const details = kinds.map(([kind, count]) => `${count} ${kind}`).join(", ");
    const figures = [
      String(all).padStart(11),
      String(lost).padStart(7),
      (lost / SWAPS).toFixed(1).padStart(7),
    ];
    console.log(`${figures.join(" ")}  ${contestant.name}${details === "" ? "" : `: ${details}`}`);
    await contestant.end();
  }
}

async function swapUnderLoad(
  contestant: Contestant,
  pairs: readonly [CertificatePair, CertificatePair],
): Promise<Record<string, number>> {
  const clients = Array.from({ length: CLIENTS }, () =>
    Bun.spawn([process.execPath, import.meta.path, String(contestant.port)], { stdout: "pipe" }),
  );
  await Bun.sleep(1000);
  for (let swap = 0; swap < SWAPS; swap++) {
    await contestant.swap(pairs[swap % 2 === 0 ? 1 : 0]);
    await Bun.sleep(PAUSE);
  }
  const counts: Record<string, number> = {};
  for (const client of clients) {
    client.kill("SIGTERM");
    const own: Record<string, number> = JSON.parse(await new Response(client.stdout).text());
    for (const [kind, count] of Object.entries(own)) counts[kind] = (counts[kind] ?? 0) + count;
  }
  return counts;
}

/** The executable, with certificate files that are replaced by symbolic links and SIGHUP. */
async function startHooklatch(workshop: Workshop, first: CertificatePair): Promise<Contestant> {
  const [cert, key] = [join(workshop.path, "live-cert.pem"), join(workshop.path, "live-key.pem")];
  function point(pair: CertificatePair): void {
    for (const [link, file] of [[cert, pair.cert] as const, [key, pair.key] as const]) {
      symlinkSync(file, `${link}.new`);
      renameSync(`${link}.new`, link);
    }
  }
  point(first);
  const tls = `host = "127.0.0.1"\n[server.tls]\ncert = "${cert}"\nkey = "${key}"`;
  const config = writeConfiguration(workshop, { server: tls });
  const server = await workshop.serve(["--config", config], { SECRET });
  const swaps = () => server.stderr.split("took up the renewed certificate").length - 1;
  return {
    name: "hooklatch",
    port: Number(server.url.port),
    async swap(pair) {
      const before = swaps();
      point(pair);
      process.kill(server.pid, "SIGHUP");
      await server.until(() => swaps() > before);
    },
    end: () => server.end("SIGTERM"),
  };
}

/** The alternatives run in this process and only answer requests. */
async function startTwoServers(_workshop: Workshop, first: CertificatePair): Promise<Contestant> {
  const port = freePort();
  let server = serve(port, first, true);
  return {
    name: "a second Bun.serve with reusePort, then the first one's stop()",
    port,
    async swap(pair) {
      const old = server;
      server = serve(port, pair, true);
      void old.stop();
    },
    end: () => server.stop(true),
  };
}

async function startOneByOne(_workshop: Workshop, first: CertificatePair): Promise<Contestant> {
  const port = freePort();
  let server = serve(port, first, false);
  return {
    name: "stop(), then a new Bun.serve in the same turn",
    port,
    async swap(pair) {
      void server.stop();
      server = serve(port, pair, false);
    },
    end: () => server.stop(true),
  };
}

function serve(port: number, pair: CertificatePair, reusePort: boolean) {
  return Bun.serve({
    hostname: "127.0.0.1",
    port,
    reusePort,
    tls: { cert: readFileSync(pair.cert, "utf8"), key: readFileSync(pair.key, "utf8") },
    async fetch(request) {
      await request.bytes();
      return new Response();
    },
  });
}

/** The client process: connects until SIGTERM, and then prints the number of connections for each outcome. */
async function connectAllTheTime(port: number): Promise<void> {
  let isOver = false;
  process.once("SIGTERM", () => {
    isOver = true;
  });
  const counts: Record<string, number> = {};
  await Promise.all(
    Array.from({ length: LOOPS }, async () => {
      while (!isOver) {
        const outcome = await ping(port);
        counts[outcome] = (counts[outcome] ?? 0) + 1;
      }
    }),
  );
  console.log(JSON.stringify(counts));
}

function ping(port: number): Promise<string> {
  const body = JSON.stringify({ zen: "z".repeat(7168), hook_id: 1 });
  const head = [
    "POST /github-webhook HTTP/1.1",
    "Host: localhost",
    "Connection: close",
    "Content-Type: application/json",
    `Content-Length: ${body.length}`,
    "X-GitHub-Event: ping",
    `X-GitHub-Delivery: ${randomUUID()}`,
    `X-Hub-Signature-256: sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`,
  ].join("\r\n");
  return new Promise((resolve) => {
    let [stage, answer] = ["refused or reset before the handshake", ""];
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
    socket.once("connect", () => {
      stage = "cut in the handshake";
    });
    socket.once("secureConnect", () => {
      stage = "cut after the handshake";
      socket.write(`${head}\r\n\r\n${body}`);
    });
    socket.on("data", (data) => {
      answer += data;
    });
    socket.on("error", () => socket.destroy());
    socket.once("close", () => {
      const status = /^HTTP\/1\.1 (\d+) /.exec(answer)?.[1];
      resolve(status === undefined ? stage : status === "200" ? "answered" : `answered ${status}`);
    });
  });
}

if (import.meta.main) await connectAllTheTime(Number(process.argv[2]));
