import { expect } from "bun:test";
import { createHmac } from "node:crypto";
import { join } from "node:path";
import { SECRET } from "../../support/configuration.ts";
import { type Server, Workshop } from "../../support/executable.ts";
import { type RawAnswer, RawConnection } from "../../support/raw.ts";
import { Kept } from "../../support/stored-data.ts";

/** The verify token of the generic source of a {@link Shell}. */
export const TOKEN = "a token of the tests, long enough";

/** The smallest valid ping. */
export const PING = '{"zen":"Keep it logically awesome."}';

/** The parts of a request as they are sent. Each character is one byte. */
export interface RawRequest {
  readonly method?: string;
  readonly target?: string;
  readonly version?: string;
  /** Header lines. A line replaces the usual header of the same name; a name without a colon removes that header. */
  readonly lines?: readonly string[];
  readonly body?: string;
  /** The bytes to send as the body, without a Content-Length. Defaults to `body` with its Content-Length. */
  readonly framed?: string;
}

/** Returns a signed GitHub ping with these changes, signed after the change of the body. It asks to close the connection. */
export function writeRequest(request: RawRequest = {}): string {
  const { method = "POST", target = "/github-webhook", version = "HTTP/1.1", lines = [] } = request;
  const { body = PING, framed } = request;
  const signature = createHmac("sha256", SECRET).update(Buffer.from(body, "latin1")).digest("hex");
  const usual = [
    "Host: hooks.test",
    "Content-Type: application/json",
    "X-GitHub-Event: ping",
    `X-Hub-Signature-256: sha256=${signature}`,
    "Connection: close",
    ...(framed === undefined ? [`Content-Length: ${body.length}`] : []),
  ].filter((line) => !lines.some((other) => nameOf(other) === nameOf(line)));
  const head = [`${method} ${target} ${version}`, ...usual, ...lines];
  // A name without a colon only removes the usual header.
  return `${head.filter((line) => !/^[\w-]+$/.test(line)).join("\r\n")}\r\n\r\n${framed ?? body}`;
}

function nameOf(line: string): string {
  return line.replace(/\s*:.*$/s, "").toLowerCase();
}

/** Encodes a body as one chunk. */
export function chunked(body = PING): string {
  return `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
}

const CONFIGURATION = `data_dir = "data"
[server]
port = 0
host = "127.0.0.1"
[admin]
port = 0
[[source]]
name = "github"
provider = "github"
path = "/github-webhook"
secrets = ["env:SECRET"]
[[source]]
name = "webhook"
provider = "generic"
path = "/webhook"
verify_token = "env:TOKEN"
`;

/** A server with one github and one generic source, and raw connections to it. */
export class Shell {
  private constructor(
    readonly workshop: Workshop,
    readonly server: Server,
    readonly url: URL,
  ) {}

  /** @param more TOML to append to the configuration. */
  static async open(more = "", workshop = new Workshop()): Promise<Shell> {
    const file = workshop.write("shell.toml", CONFIGURATION + more);
    const server = await workshop.serve(["--config", file], { SECRET, TOKEN });
    return new Shell(workshop, server, server.url);
  }

  connect(bodies = true): RawConnection {
    return new RawConnection(this.url, bodies);
  }

  /** Sends bytes on a new connection and returns all responses up to its end. */
  async exchange(bytes: string, bodies = true): Promise<readonly RawAnswer[]> {
    const connection = this.connect(bodies).send(bytes);
    const answers = await connection.untilClosed();
    expect(connection.unread).toBe("");
    return answers;
  }

  /** The status codes of {@link exchange}. */
  async codes(bytes: string): Promise<readonly number[]> {
    return (await this.exchange(bytes)).map(({ status }) => status);
  }

  /** The number of deliveries in the store, read from its file. */
  get storedCount(): number {
    return Kept.read(join(this.workshop.path, "data"), ({ deliveries }) => deliveries);
  }

  /**
   * Runs `act` and expects that it stores no delivery and that the server still responds. The ping sent afterwards must
   * get the next id, so no other delivery can have been in progress either.
   */
  async storesNothing(act: () => Promise<void>): Promise<void> {
    const before = this.storedCount;
    await act();
    const [answer] = await this.exchange(writeRequest());
    expect(JSON.parse(answer?.body ?? "")).toEqual({ status: "pong", delivery: before + 1 });
    expect(this.storedCount).toBe(before + 1);
  }

  /** Runs `act` and expects that it stores exactly one delivery. */
  async storesOne(act: () => Promise<void>): Promise<void> {
    const before = this.storedCount;
    await act();
    expect(this.storedCount).toBe(before + 1);
  }

  close(): Promise<void> {
    return this.workshop.dispose();
  }
}
