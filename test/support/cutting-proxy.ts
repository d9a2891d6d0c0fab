import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A proxy on loopback before a server, which cuts connections when the test says so. */
export interface CuttingProxy {
  readonly port: number;
  /** Cuts the next connection whose client sends a message that contains `text`. The server does not get that message. */
  cutAt(text: string): void;
  /** Whether a connection was cut since `cutAt`. */
  hasCut(): boolean;
  close(): void;
}

/** Starts the proxy before a port of loopback. */
export async function startCuttingProxy(to: number): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  let armed: string | null = null;
  let cut = false;
  const server = createServer((client) => {
    const upstream = connect(to, "127.0.0.1");
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    upstream.pipe(client);
    client.on("data", (chunk) => {
      if (armed !== null && chunk.includes(armed)) {
        armed = null;
        cut = true;
        client.destroy();
      } else upstream.write(chunk);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    cutAt(text) {
      armed = text;
      cut = false;
    },
    hasCut: () => cut,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
