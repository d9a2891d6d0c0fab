import { connect, createServer, type Socket } from "node:net";

/** A port that forwards to another one, as an ssh tunnel does, and that can be cut. */
export class Tunnel implements AsyncDisposable {
  readonly #server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  constructor(readonly target: number) {
    this.#server = createServer((incoming) => {
      if (this.#isCut) return incoming.destroy();
      const outgoing = connect(target, "127.0.0.1");
      for (const [from, to] of [
        [incoming, outgoing],
        [outgoing, incoming],
      ] as const) {
        this.#sockets.add(from);
        from.pipe(to);
        from.on("error", () => to.destroy());
        from.on("close", () => {
          this.#sockets.delete(from);
          to.destroy();
        });
      }
    });
  }

  /** Opens a free port. Resolves with the address of the dashboard through it. */
  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}/`;
  }

  /** Ends all connections, and refuses new ones until `restore`. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  restore(): void {
    this.#isCut = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
