import { expect } from "bun:test";
import { createHmac } from "node:crypto";
import { join } from "node:path";
import { SECRET } from "../../support/configuration.ts";
import { type Server, Workshop } from "../../support/executable.ts";
import { Kept } from "../../support/kept.ts";
import { type RawAnswer, RawConnection } from "../../support/raw.ts";

/** What opens the generic source of a {@link Shell}. */
export const TOKEN = "a token of the tests, long enough";

/** The smallest ping that is one. */
export const PING = '{"zen":"Keep it logically awesome."}';

/** The parts of a request as they go over the wire, each byte as one character. */
export interface RawRequest {
  readonly method?: string;
  readonly target?: string;
  readonly version?: string;
  /** Lines beside the ones that a signed ping has, or instead of them where the name is the same. */
  readonly lines?: readonly string[];
  readonly body?: string;
  /** What is sent as the body, where that is not the body itself with its Content-Length. */
  readonly framed?: string;
}

/** A ping as GitHub signs it, with whatever is to be wrong with it. The server closes the connection after it. */
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
  // A line that is only a name stands for the line's absence.
  return `${head.filter((line) => !/^[\w-]+$/.test(line)).join("\r\n")}\r\n\r\n${framed ?? body}`;
}

function nameOf(line: string): string {
  return line.replace(/\s*:.*$/s, "").toLowerCase();
}

/** A body as the only chunk of a chunked one. */
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

/** The executable with a source of each provider, and connections to it. */
export class Shell {
  private constructor(
    readonly workshop: Workshop,
    readonly server: Server,
    readonly url: URL,
  ) {}

  /** @param more TOML to come after the sources. */
  static async open(more = "", workshop = new Workshop()): Promise<Shell> {
    const file = workshop.write("shell.toml", CONFIGURATION + more);
    const server = await workshop.serve(["--config", file], { SECRET, TOKEN });
    return new Shell(workshop, server, server.url);
  }

  connect(bodies = true): RawConnection {
    return new RawConnection(this.url, bodies);
  }

  /** Sends bytes on a connection of their own and gives what came until the server closed it. */
  async exchange(bytes: string, bodies = true): Promise<readonly RawAnswer[]> {
    const connection = this.connect(bodies).send(bytes);
    const answers = await connection.untilClosed();
    expect(connection.unread).toBe("");
    return answers;
  }

  /** The same, as codes alone. */
  async codes(bytes: string): Promise<readonly number[]> {
    return (await this.exchange(bytes)).map(({ status }) => status);
  }

  /** What the store's file says. */
  get kept(): number {
    return Kept.read(join(this.workshop.path, "data"), ({ deliveries }) => deliveries);
  }

  /**
   * Does something after which no delivery more is kept, and the server still answers: the ping that is sent then
   * has the next number, so nothing was on its way to the store either.
   */
  async keepsNothing(act: () => Promise<void>): Promise<void> {
    const before = this.kept;
    await act();
    const [answer] = await this.exchange(writeRequest());
    expect(JSON.parse(answer?.body ?? "")).toEqual({ status: "pong", delivery: before + 1 });
    expect(this.kept).toBe(before + 1);
  }

  /** Does something after which exactly one delivery more is kept. */
  async keepsOne(act: () => Promise<void>): Promise<void> {
    const before = this.kept;
    await act();
    expect(this.kept).toBe(before + 1);
  }

  close(): Promise<void> {
    return this.workshop.dispose();
  }
}
