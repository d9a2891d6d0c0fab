import { connect, type Socket } from "node:net";

/** How a stranger sends its body: as fast as possible, in small chunks, without its last chunk, or in chunks of one byte. */
export type Pace = "fast" | "slow" | "stalled" | "dust";

const BODY = 25 * 1024 * 1024;
const FAST = Buffer.alloc(256 * 1024, "x");
const SMALL = FAST.subarray(0, 16 * 1024);
const SMALL_EVERY = 5;
/** Many chunks of one byte. */
const DUST = Buffer.from("1\r\na\r\n".repeat(10_000));

/** Sends bodies of 25 MiB with a wrong signature, one request at a time, each on a new connection. */
export class Stranger {
  /** The number of body bytes sent. */
  sent = 0;
  /** The number of responses by status code. */
  readonly responses = new Map<number, number>();
  #socket: Socket | undefined;
  #disconnected = false;

  constructor(
    readonly url: URL,
    readonly pace: Pace,
    readonly chunked: boolean,
  ) {
    void this.#sendRepeatedly();
  }

  /** Closes the connection, even during a request. */
  disconnect(): void {
    this.#disconnected = true;
    this.#socket?.destroy();
  }

  async #sendRepeatedly(): Promise<void> {
    while (!this.#disconnected) await this.#sendOne();
  }

  async #sendOne(): Promise<void> {
    const socket = connect(Number(this.url.port), this.url.hostname);
    this.#socket = socket;
    // The server may close the connection at any time to reject a request.
    socket.on("error", () => {});
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.on("data", (data) => this.#record(data.toString("latin1"), socket));
    socket.write(this.#head());
    await this.#sendBody(socket, closed);
    await closed;
  }

  async #sendBody(socket: Socket, closed: Promise<void>): Promise<void> {
    if (this.pace === "dust") return this.#sendDust(socket, closed);
    const chunk = this.pace === "slow" ? SMALL : FAST;
    const end = this.pace === "stalled" ? BODY - FAST.length : BODY;
    for (let sent = 0; sent < end && !socket.destroyed; sent += chunk.length) {
      const hasRoom = socket.write(this.chunked ? frame(chunk) : chunk);
      this.sent += chunk.length;
      if (!hasRoom) await Promise.race([drained(socket), closed]);
      if (this.pace === "slow") await Bun.sleep(SMALL_EVERY);
    }
    if (this.chunked && this.pace !== "stalled") socket.write("0\r\n\r\n");
  }

  async #sendDust(socket: Socket, closed: Promise<void>): Promise<void> {
    while (!socket.destroyed) {
      const hasRoom = socket.write(DUST);
      this.sent += DUST.length;
      await (hasRoom ? Bun.sleep(0) : Promise.race([drained(socket), closed]));
    }
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

  #record(response: string, socket: Socket): void {
    const code = /^HTTP\/1\.1 (\d{3})/.exec(response)?.[1];
    if (code === undefined) return;
    this.responses.set(Number(code), (this.responses.get(Number(code)) ?? 0) + 1);
    socket.destroy();
  }
}

/** Unlike `once`, it does not reject when the server resets the connection. */
function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("drain", () => resolve()));
}

function frame(chunk: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n")]);
}
