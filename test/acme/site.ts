import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AcmeSettings, type CertificateAgent, createCertificateAgent } from "../../src/acme/agent.ts";
import type { LogFields } from "../../src/domain/log.ts";
import { Pebble } from "../support/pebble.ts";
import { TestClock } from "./test-clock.ts";

/** A line that was logged. */
export interface Said {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly fields: LogFields;
  readonly message: string;
}

/** What a site of the CA's own answers in its stead, by path; an object is sent as JSON. */
export type Routes = Readonly<Record<string, (request: Request) => Response | Promise<Response>>>;

/** A CA, a web server where it looks at challenges, and a place to keep things, for one file of tests. */
export class Site {
  readonly path = mkdtempSync(join(tmpdir(), "hooklatch-test-"));
  readonly pebble: Pebble;
  clock = new TestClock();
  readonly said: Said[] = [];
  /** What answers on the challenge port: the agent made last, or what a test wants instead. */
  answer: (token: string) => Response = () => new Response(null, { status: 404 });
  readonly #web: Bun.Server<undefined>;
  readonly #servers: Bun.Server<undefined>[] = [];

  /** With `httpPort`, challenges are looked at there, where nobody needs to listen. */
  constructor(httpPort?: number) {
    this.#web = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request) => this.answer(new URL(request.url).pathname.split("/").at(-1) ?? ""),
    });
    this.pebble = new Pebble(join(this.path, "pebble"), httpPort ?? this.#web.port ?? 0);
  }

  /** Where the agent keeps its files. */
  get directory(): string {
    return join(this.path, "data", "acme");
  }

  settings(changes: Partial<AcmeSettings> = {}): AcmeSettings {
    const { directory, ca } = this.pebble;
    return { domains: ["hooks.example.com"], email: null, directory, ca, ...changes };
  }

  /** Starts the CA where it does not run, and forgets what was kept and said. */
  async clear(): Promise<void> {
    this.clock = new TestClock();
    this.said.length = 0;
    rmSync(this.directory, { recursive: true, force: true });
    await this.pebble.start();
  }

  /** An agent as after a start of the program; its challenges are served. */
  agent(changes: Partial<AcmeSettings> = {}, patience?: number): CertificateAgent {
    const say = (level: Said["level"]) => (fields: LogFields, message: string) => {
      this.said.push({ level, fields, message });
    };
    const log = { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") };
    const tools = {
      clock: this.clock,
      log,
      random: () => 0.5,
      ...(patience === undefined ? {} : { patience }),
    };
    const agent = createCertificateAgent(this.settings(changes), this.directory, tools);
    this.answer = (token) => {
      const answer = agent.challenges.answer(token);
      return answer === null ? new Response(null, { status: 404 }) : new Response(answer);
    };
    return agent;
  }

  /** What was said of this level. */
  messages(level: Said["level"]): readonly string[] {
    return this.said.filter((each) => each.level === level).map(({ message }) => message);
  }

  /** Serves pebble's directory with other addresses in it, and what is at them. Gives the directory's URL. */
  async wrapDirectory(routes: Routes, entries: (origin: string) => Record<string, string>): Promise<string> {
    const tls = { ca: this.pebble.ca };
    const own = (await (await fetch(this.pebble.directory, { tls })).json()) as Record<string, unknown>;
    const server = this.#serve(routes, (origin) => Response.json({ ...own, ...entries(origin) }));
    return `https://localhost:${server.port}/dir`;
  }

  /** A server with pebble's certificate that is no CA. */
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

/** A CA's refusal (RFC 8555, section 6.7). */
export function refuse(status: number, type: string, detail: string, headers: Record<string, string> = {}) {
  return Response.json(
    { type: `urn:ietf:params:acme:error:${type}`, detail },
    { status, headers: { "content-type": "application/problem+json", ...headers } },
  );
}
