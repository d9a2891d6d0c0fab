import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type AcmeSettings,
  type CertificateManager,
  type CertificateManagerOptions,
  createCertificateManager,
} from "../../src/acme/index.ts";
import type { LogFields } from "../../src/lib/log.ts";
import { TestClock } from "../support/clock.ts";
import { Pebble } from "../support/pebble.ts";
import { words } from "../support/words.ts";

/** A log line. */
export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly fields: LogFields;
  readonly message: string;
}

/** Responses of a stand-in for the CA, by the start of the path. */
export type Routes = Readonly<Record<string, (request: Request) => Response | Promise<Response>>>;

/** Creates a clock that starts at the real time and skips the pauses of an order, but not those of the renewal loop. */
function createClock(): TestClock {
  return new TestClock({ start: new Date().toISOString(), skips: 5_000 });
}

/** A CA, the web server where it validates challenges, and a data directory, for one test file. */
export class Site {
  readonly path = mkdtempSync(join(tmpdir(), "hooklatch-test-"));
  readonly pebble: Pebble;
  clock = createClock();
  readonly logLines: LogLine[] = [];
  /** Answers requests on the challenge port: the newest manager, unless a test replaces it. */
  answer: (token: string) => Response | Promise<Response> = () => new Response(null, { status: 404 });
  readonly #web: Bun.Server<undefined>;
  readonly #servers: Bun.Server<undefined>[] = [];

  /** The CA validates challenges on `httpPort` instead of the web server. Nothing has to listen there. */
  constructor(httpPort?: number, accountKeys: Pebble["accountKeys"] = null) {
    this.#web = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request) => this.answer(new URL(request.url).pathname.split("/").at(-1) ?? ""),
    });
    this.pebble = new Pebble(join(this.path, "pebble"), httpPort ?? this.#web.port ?? 0, accountKeys);
  }

  /** The directory of the manager. */
  get directory(): string {
    return join(this.path, "data", "acme");
  }

  settings(changes: Partial<AcmeSettings> = {}): AcmeSettings {
    const { directory, ca } = this.pebble;
    return { domains: ["hooks.example.com"], email: null, directory, ca, eab: null, ...changes };
  }

  /** Starts the CA unless it runs, and clears the directory, the log and the clock. */
  async clear(): Promise<void> {
    this.clock = createClock();
    this.logLines.length = 0;
    rmSync(this.directory, { recursive: true, force: true });
    await this.pebble.start();
  }

  /** Creates a manager as a start of the program does, and serves its challenges. */
  manager(
    changes: Partial<AcmeSettings> = {},
    more: Pick<CertificateManagerOptions, "timeout" | "challenges"> = {},
  ): CertificateManager {
    const write = (level: LogLine["level"]) => (fields: LogFields, message: string) => {
      this.logLines.push({ level, fields, message });
    };
    const log = { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
    const options = {
      clock: this.clock,
      log,
      random: () => 0.5,
      ...more,
    };
    const manager = createCertificateManager(this.settings(changes), this.directory, options);
    this.answer = async (token) => {
      const answer = await manager.answerChallenge(token);
      return answer === null ? new Response(null, { status: 404 }) : new Response(answer);
    };
    return manager;
  }

  /** Returns the log messages of a level, prepared for a snapshot. */
  messages(level: LogLine["level"]): readonly string[] {
    return this.logLines.filter((line) => line.level === level).map(({ message }) => words(message));
  }

  /** Serves pebble's directory with other addresses and the routes for them. Returns the URL of the directory. */
  async wrapDirectory(routes: Routes, entries: (origin: string) => Record<string, string>): Promise<string> {
    const tls = { ca: this.pebble.ca };
    const own = (await (await fetch(this.pebble.directory, { tls })).json()) as Record<string, unknown>;
    const server = this.#serve(routes, (origin) => Response.json({ ...own, ...entries(origin) }));
    return `https://localhost:${server.port}/dir`;
  }

  /** Starts a server that has pebble's certificate but is not a CA. Returns its origin. */
  serve(routes: Routes): string {
    return `https://localhost:${this.#serve(routes, () => new Response(null, { status: 404 })).port}`;
  }

  #serve(routes: Routes, otherwise: (origin: string) => Response): Bun.Server<undefined> {
    const { cert, key } = this.pebble.certificate;
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      tls: { cert: Bun.file(cert), key: Bun.file(key) },
      fetch(request) {
        const { origin, pathname } = new URL(request.url);
        const route = Object.entries(routes).find(([path]) => pathname.startsWith(path));
        return route?.[1](request) ?? otherwise(origin);
      },
    });
    this.#servers.push(server);
    return server;
  }

  async dispose(): Promise<void> {
    await Promise.all([this.#web, ...this.#servers].map((server) => server.stop(true)));
    await this.pebble.stop();
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** An error response of a CA (RFC 8555, section 6.7). */
export function refuse(status: number, type: string, detail: string, headers: Record<string, string> = {}) {
  return Response.json(
    { type: `urn:ietf:params:acme:error:${type}`, detail },
    { status, headers: { "content-type": "application/problem+json", ...headers } },
  );
}
