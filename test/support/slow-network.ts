import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "./random.ts";

/** A path through a slow network to a server on this machine. */
export interface SlowNetwork {
  readonly port: number;
  /** Ends every connection. */
  cut(): void;
  /** Ends every connection and refuses new ones, until it is called with false. */
  block(isBlocked: boolean): void;
  close(): Promise<void>;
}

/** Opens a path on which each packet takes up to `milliseconds`, in both directions. */
export async function openSlowNetwork(
  target: number,
  milliseconds: number,
  random: Random,
): Promise<SlowNetwork> {
  const sockets = new Set<Socket>();
  let isBlocked = false;
  const server: Server = createServer((client) => {
    if (isBlocked) {
      client.destroy();
      return;
    }
    const upstream = connect(target, "127.0.0.1");
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      let last = Promise.resolve();
      const enqueue = (act: () => void) => {
        last = last.then(() => sleep(random.below(milliseconds))).then(act);
      };
      from.on("data", (data) => enqueue(() => void to.write(data)));
      from.on("error", () => {});
      from.on("close", () => {
        sockets.delete(from);
        enqueue(() => to.destroy());
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy does not listen");
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: address.port,
    cut,
    block(blocked) {
      isBlocked = blocked;
      if (blocked) cut();
    },
    async close() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
