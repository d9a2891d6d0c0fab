import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** An HTTP response as received. */
export interface RawAnswer {
  readonly status: number;
  /** By lower-case name. The values of a repeated header are joined by `, `. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** A connection that sends any bytes. An HTTP library would correct or reject invalid requests. */
export class RawConnection {
  readonly answers: RawAnswer[] = [];
  closed = false;
  readonly #socket: Socket;
  readonly #bodies: boolean;
  #unread: Buffer = Buffer.alloc(0);
  #waiting: (() => void)[] = [];

  /** @param bodies whether responses have bodies. Those to HEAD have none, despite their `Content-Length`. */
  constructor(url: URL, bodies = true) {
    this.#bodies = bodies;
    const where = { host: url.hostname, port: Number(url.port) };
    this.#socket =
      url.protocol === "https:" ? connectTls({ ...where, rejectUnauthorized: false }) : connect(where);
    // The server may reset the connection at any time, which is a valid reaction.
    this.#socket.on("error", () => {});
    this.#socket.on("data", (data: Buffer) => {
      this.#unread = Buffer.concat([this.#unread, data]);
      this.#collect();
      this.#wake();
    });
    this.#socket.on("close", () => {
      this.closed = true;
      this.#wake();
    });
  }

  /** The received bytes that are not a complete response, as Latin-1 text. */
  get unread(): string {
    return this.#unread.toString("latin1");
  }

  /** Sends bytes. Text is sent as Latin-1. */
  send(bytes: string | Uint8Array): this {
    this.#socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
    return this;
  }

  /** Resolves when this many responses have been received, or the connection is closed. */
  async untilAnswered(count = 1): Promise<readonly RawAnswer[]> {
    while (this.answers.length < count && !this.closed) await this.#something();
    return this.answers;
  }

  /** Resolves with all responses when the server has closed the connection. */
  async untilClosed(): Promise<readonly RawAnswer[]> {
    while (!this.closed) await this.#something();
    return this.answers;
  }

  /** Closes the connection at once. */
  drop(): void {
    this.#socket.destroy();
  }

  #something(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #collect(): void {
    for (let end = this.#unread.indexOf("\r\n\r\n"); end >= 0; end = this.#unread.indexOf("\r\n\r\n")) {
      const answer = readHead(this.#unread.toString("latin1", 0, end));
      const from = end + 4;
      // 1xx responses have no body (RFC 9112, section 6.3).
      const hasBody = this.#bodies && answer.status >= 200;
      const length = hasBody ? Number(answer.headers.get("content-length") ?? 0) : 0;
      if (this.#unread.length < from + length) return;
      this.answers.push({ ...answer, body: this.#unread.toString("utf8", from, from + length) });
      this.#unread = this.#unread.subarray(from + length);
    }
  }
}

function readHead(text: string): Omit<RawAnswer, "body"> {
  const [first = "", ...lines] = text.split("\r\n");
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name = "", value = ""] = /^([^:]*):\s*(.*)$/.exec(line) ?? [];
    const before = headers.get(name.toLowerCase());
    headers.set(name.toLowerCase(), before === undefined ? value : `${before}, ${value}`);
  }
  return { status: Number(/^HTTP\/1\.1 (\d{3})\b/.exec(first)?.[1] ?? 0), headers };
}
