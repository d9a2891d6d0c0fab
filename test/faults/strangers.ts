import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** How a stranger sends its body: as fast as it can, in small pieces, or all but the end, which never comes. */
export type Manner = "fast" | "trickling" | "holding";

const BODY = 25 * 1024 * 1024;
const FAST = Buffer.alloc(256 * 1024, "x");
const SMALL = FAST.subarray(0, 16 * 1024);
const SMALL_EVERY = 5;

/** A sender of bodies of 25 MiB whose signature is wrong, one request after the other, each on a new connection. */
export class Stranger {
  /** Bytes of bodies that went out. */
  sent = 0;
  /** How often each status code was answered. */
  readonly answers = new Map<number, number>();
  #socket: Socket | undefined;
  #left = false;

  constructor(
    readonly url: URL,
    readonly manner: Manner,
    readonly chunked: boolean,
  ) {
    void this.#press();
  }

  /** Ends the connection in the middle of whatever is being sent. */
  leave(): void {
    this.#left = true;
    this.#socket?.destroy();
  }

  async #press(): Promise<void> {
    while (!this.#left) await this.#sendOne();
  }

  async #sendOne(): Promise<void> {
    const socket = connect(Number(this.url.port), this.url.hostname);
    this.#socket = socket;
    // The other end may cut the connection at any time: that is one way to answer.
    socket.on("error", () => {});
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.on("data", (data) => this.#note(data.toString("latin1"), socket));
    socket.write(this.#head());
    await this.#sendBody(socket, closed);
    await closed;
  }

  async #sendBody(socket: Socket, closed: Promise<void>): Promise<void> {
    const piece = this.manner === "trickling" ? SMALL : FAST;
    const end = this.manner === "holding" ? BODY - FAST.length : BODY;
    for (let sent = 0; sent < end && !socket.destroyed; sent += piece.length) {
      const flowing = socket.write(this.chunked ? frame(piece) : piece);
      this.sent += piece.length;
      if (!flowing) await Promise.race([once(socket, "drain"), closed]);
      if (this.manner === "trickling") await Bun.sleep(SMALL_EVERY);
    }
    if (this.chunked && this.manner !== "holding") socket.write("0\r\n\r\n");
  }

  #head(): string {
    return [
      `POST ${this.url.pathname} HTTP/1.1`,
      `Host: ${this.url.host}`,
      "Content-Type: application/json",
      this.chunked ? "Transfer-Encoding: chunked" : `Content-Length: ${BODY}`,
      "X-GitHub-Event: push",
      `X-GitHub-Delivery: ${crypto.randomUUID()}`,
      `X-Hub-Signature-256: sha256=${"0".repeat(64)}`,
      "\r\n",
    ].join("\r\n");
  }

  #note(answer: string, socket: Socket): void {
    const code = /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1];
    if (code === undefined) return;
    this.answers.set(Number(code), (this.answers.get(Number(code)) ?? 0) + 1);
    socket.destroy();
  }
}

function frame(piece: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n")]);
}
