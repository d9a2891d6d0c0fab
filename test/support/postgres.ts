import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { CertificatePair } from "./certificate.ts";
import { freePort } from "./free-port.ts";

/** Seconds. Tests that renew no lease may take longer than a usual one lasts. */
export const LONG_LEASE = 600;

/** Where Debian's packages install the programs, the newest version first. */
const BIN = findBin();

/** Whether PostgreSQL is installed. Without it, its tests are skipped: `apt-get install postgresql`. */
export const HAS_POSTGRES = BIN !== null;

/** A private server with an empty database for each test. */
export interface Cluster {
  readonly port: number;
  /** The URL of a new, empty database, with another duration of leases where it is given. */
  createDatabase(leaseSeconds?: number): Promise<string>;
  /** Removes every row of a store, which is much faster than a new database. */
  empty(url: string): Promise<void>;
  /** Stops the server, at once or in order, and starts it again. */
  restart(how: "fast" | "immediate"): Promise<void>;
  /** Ends the server and removes its files. */
  stop(): Promise<void>;
}

/** Starts a server on loopback, as the user postgres where this process is root, which PostgreSQL refuses. */
export async function startCluster({
  fsync = false,
  tls = null,
}: {
  readonly fsync?: boolean;
  /** Its certificate. Connections without TLS are accepted too. */
  readonly tls?: CertificatePair | null;
} = {}): Promise<Cluster> {
  if (BIN === null) throw new Error("PostgreSQL is not installed: apt-get install postgresql");
  const directory = mkdtempSync(join(tmpdir(), "pg-"));
  if (process.getuid?.() === 0) chownSync(directory, readId("-u"), readId("-g"));
  const data = join(directory, "data");
  const made = spawnSync(
    ...asPostgres([
      "initdb",
      "-D",
      data,
      "-U",
      "postgres",
      "-A",
      "trust",
      "-E",
      "UTF8",
      "--locale=C",
      "--no-sync",
    ]),
    { cwd: directory, encoding: "utf8" },
  );
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`);
  const port = freePort();
  const certificate = tls === null ? [] : installCertificate(tls, directory);
  let server = await start();
  let databases = 0;

  async function start(): Promise<ChildProcess> {
    const settings = [
      `port=${port}`,
      "listen_addresses=127.0.0.1,127.0.0.2",
      ...certificate,
      `unix_socket_directories=${directory}`,
      `fsync=${fsync}`,
      `full_page_writes=${fsync}`,
      "max_connections=200",
      "shared_buffers=64MB",
      "logging_collector=off",
      "log_min_messages=fatal",
    ];
    const child = spawn(
      ...asPostgres(["postgres", "-D", data, ...settings.flatMap((setting) => ["-c", setting])]),
      { cwd: directory, stdio: "ignore" },
    );
    for (;;) {
      try {
        await query("SELECT 1");
        return child;
      } catch (error) {
        if (child.exitCode !== null) throw error;
        await sleep(50);
      }
    }
  }

  async function end(signal: "SIGINT" | "SIGQUIT"): Promise<void> {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, "exit");
    server.kill(signal);
    await exited;
  }

  async function query(text: string, database = "postgres"): Promise<void> {
    const client = new pg.Client({ host: "127.0.0.1", port, user: "postgres", database });
    client.on("error", () => {});
    try {
      await client.connect();
      await client.query(text);
    } finally {
      await client.end().catch(() => {});
    }
  }

  return {
    port,
    async createDatabase(leaseSeconds) {
      const name = `test_${++databases}`;
      await query(`CREATE DATABASE ${name} STRATEGY wal_log`);
      if (leaseSeconds !== undefined) {
        await query(`ALTER DATABASE ${name} SET hooklatch.lease_seconds = ${leaseSeconds}`);
      }
      return `postgres://postgres@127.0.0.1:${port}/${name}`;
    },
    async empty(url) {
      await query(EMPTY, new URL(url).pathname.slice(1));
    },
    async restart(how) {
      await end(how === "fast" ? "SIGINT" : "SIGQUIT");
      server = await start();
    },
    async stop() {
      await end("SIGINT");
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

const EMPTY = `
  DO $$ BEGIN
    EXECUTE (SELECT 'TRUNCATE ' || string_agg('hooklatch.' || tablename, ', ') || ' RESTART IDENTITY'
      FROM pg_tables WHERE schemaname = 'hooklatch' AND tablename NOT IN ('schema_version', 'last_id', 'probe'));
    UPDATE hooklatch.last_id SET delivery = 0, deployment = 0;
  END $$`;

/** The server reads a key only from a file of its own user. Returns the settings. */
function installCertificate({ cert, key }: CertificatePair, directory: string): readonly string[] {
  const [ownCert, ownKey] = [join(directory, "cert.pem"), join(directory, "key.pem")];
  copyFileSync(cert, ownCert);
  copyFileSync(key, ownKey);
  chmodSync(ownKey, 0o600);
  if (process.getuid?.() === 0) {
    for (const file of [ownCert, ownKey]) chownSync(file, readId("-u"), readId("-g"));
  }
  return ["ssl=on", `ssl_cert_file=${ownCert}`, `ssl_key_file=${ownKey}`];
}

function findBin(): string | null {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root).toSorted((a, b) => Number(b) - Number(a)) : [];
  return (
    versions.map((version) => join(root, version, "bin")).find((bin) => existsSync(join(bin, "initdb"))) ??
    null
  );
}

function asPostgres([program = "", ...args]: readonly string[]): [string, string[]] {
  const path = join(BIN ?? "", program);
  if (process.getuid?.() !== 0) return [path, args];
  return ["setpriv", ["--reuid=postgres", "--regid=postgres", "--init-groups", path, ...args]];
}

function readId(option: "-u" | "-g"): number {
  return Number(spawnSync("id", [option, "postgres"], { encoding: "utf8" }).stdout);
}
