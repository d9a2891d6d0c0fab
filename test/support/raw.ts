import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** An answer as it stands on the wire. */
export interface RawAnswer {
  readonly status: number;
  /** By lower-case name; a header that came twice is joined by `, `. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** A connection on which any bytes can be sent: a client library would mend or refuse what is not HTTP. */
export class RawConnection {
  readonly answers: RawAnswer[] = [];
  closed = false;
  readonly #socket: Socket;
  readonly #bodies: boolean;
  #unread: Buffer = Buffer.alloc(0);
  #waiting: (() => void)[] = [];

  /** @param bodies whether answers have bodies: those to HEAD have none, whatever length they tell. */
  constructor(url: URL, bodies = true) {
    this.#bodies = bodies;
    const where = { host: url.hostname, port: Number(url.port) };
    this.#socket =
      url.protocol === "https:" ? connectTls({ ...where, rejectUnauthorized: false }) : connect(where);
    // The other end may cut the connection at any time: that is one way to answer.
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

  /** What came and is no whole answer, as text of one character a byte. */
  get unread(): string {
    return this.#unread.toString("latin1");
  }

  /** Sends bytes; text is sent as one byte for each character. */
  send(bytes: string | Uint8Array): this {
    this.#socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
    return this;
  }

  /** Resolves when so many answers came, or the connection is closed. */
  async untilAnswered(count = 1): Promise<readonly RawAnswer[]> {
    while (this.answers.length < count && !this.closed) await this.#something();
    return this.answers;
  }

  /** Resolves with everything that was answered, when the other end closed the connection. */
  async untilClosed(): Promise<readonly RawAnswer[]> {
    while (!this.closed) await this.#something();
    return this.answers;
  }

  /** Ends the connection at once. */
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
      // 1xx have no body (RFC 9112, section 6.3).
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
