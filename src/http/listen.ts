import { Fault } from "../domain/fault.ts";
import type { Certificate } from "./certificate.ts";

/** Where to listen, how, and who answers. */
export interface ListenOptions {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  /** Null for plain HTTP. */
  readonly certificate: Certificate | null;
  /** The largest body in bytes that is answered by us; larger ones may get the runtime's own 413. */
  readonly maxBody: number;
  /** Answers a request; `peer` is the socket's address, null when it is gone already. */
  readonly handle: (request: Request, peer: string | null) => Promise<Response>;
}

/** An open port. */
export interface Listener {
  /** Where it listens, such as `http://127.0.0.1:9000/`. */
  readonly url: URL;
  /** Takes no new connection, lets requests under way be answered for `grace` milliseconds, then cuts them. */
  stop(grace: number): Promise<void>;
}

/** Seconds that a whole body may take to arrive (in Bun this is a deadline for the body, not an idle time). */
const BODY_DEADLINE = 60;

/** Opens the port. Throws a {@link Fault} `failed` when it cannot be had. */
export function listen({ host, port, certificate, maxBody, handle }: ListenOptions): Listener {
  const server = open(host, port, () =>
    Bun.serve({
      hostname: host,
      port,
      // Never shared with a second server that happens to be started on the same port.
      reusePort: false,
      development: false,
      idleTimeout: BODY_DEADLINE,
      // Over this the runtime cuts the connection; up to it our own answer is given.
      maxRequestBodySize: maxBody + 1024 * 1024,
      ...(certificate === null ? {} : { tls: { cert: certificate.cert, key: certificate.key } }),
      fetch: (request, bun) => handle(request, bun.requestIP(request)?.address ?? null),
    }),
  );
  if (certificate !== null && server.protocol !== "https") {
    void server.stop(true);
    throw new Fault(
      "failed",
      "TLS is configured, but the listener does not speak HTTPS; not serving plain HTTP instead",
    );
  }
  return {
    url: server.url,
    async stop(grace) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const graceOver = new Promise((resolve) => {
        timer = setTimeout(resolve, grace);
      });
      await Promise.race([server.stop(), graceOver]);
      clearTimeout(timer);
      await server.stop(true);
    },
  };
}

function open<T>(host: string, port: number, serve: () => T): T {
  try {
    return serve();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : null;
    const why =
      code === "EADDRINUSE"
        ? "is in use; is another hooklatch running, or does another program listen there?"
        : code === "EACCES"
          ? "needs a privilege; give the service CAP_NET_BIND_SERVICE or take a port over 1023"
          : `cannot be opened (${code ?? error}); check the host and port`;
    throw new Fault("failed", `port ${port} on ${host} ${why}`, error);
  }
}

/** Frees at once what is of no use any more. Takes some milliseconds. */
export function collectGarbage(): void {
  Bun.gc(true);
}
