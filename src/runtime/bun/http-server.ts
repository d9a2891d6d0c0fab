import type { HttpServer, HttpServerOptions, TlsCertificate } from "../contract.ts";
import { createCertificateSwap, createPortEndpoint, type ServerInstance } from "./certificate-swap.ts";
import { loadPortControl } from "./port-control.ts";

/** Seconds that a whole request body may take to arrive: Bun counts `idleTimeout` from the head on. */
const BODY_DEADLINE = 60;

/** Bytes above `maxBody` at which Bun replies itself, so that `handle` refuses bodies that are a little too large. */
const BODY_MARGIN = 1024 * 1024;

/**
 * The TLS 1.2 cipher suites: forward secrecy and authenticated encryption (RFC 9325, section 4.2). Bun's default also
 * has CBC with SHA-1. TLS 1.3 has no weaker suites.
 */
const CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20";

export async function openHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { address } = options;
  return address.kind === "port" ? openPort(address, options) : openSocket(address, options);
}

function openPort(
  address: { readonly host: string; readonly port: number },
  { certificate, ...options }: HttpServerOptions,
): HttpServer {
  const open = (host: string, port: number, shared: boolean, used: TlsCertificate | null) =>
    serve({ hostname: host, port, reusePort: shared }, used, options);
  const first = open(address.host, address.port, false, certificate);
  const { port } = first;
  const endpoint = createPortEndpoint(first, {
    port,
    open: (used, shared) => open(address.host, port, shared, used),
    tryOut: (used) => void open("127.0.0.1", 0, false, used).stop(true),
  });
  const { closeIdle, ...swap } = createCertificateSwap(first, endpoint);
  let isPaused = false;
  function pause(): boolean {
    isPaused = loadPortControl()?.pause(port) ?? false;
    closeIdle();
    return isPaused;
  }
  return {
    port,
    ...swap,
    replaceCertificate(used) {
      swap.replaceCertificate(used);
      // The new server listens with a socket of its own.
      if (isPaused) pause();
    },
    pause,
    resume() {
      if (isPaused) loadPortControl()?.resume(port);
      isPaused = false;
    },
  };
}

function openSocket(
  { path, onBound }: { readonly path: string; readonly onBound: () => void },
  { certificate, ...options }: HttpServerOptions,
): HttpServer {
  function open(used: TlsCertificate | null): ServerInstance {
    // The owner and the group may connect from the moment the socket exists. A proxy gets access through the group.
    const umask = process.umask(0o117);
    let server: ServerInstance;
    try {
      server = serve({ unix: path }, used, options);
    } finally {
      process.umask(umask);
    }
    try {
      onBound();
      return server;
    } catch (error) {
      void server.stop(true);
      throw error;
    }
  }
  // Moving the new socket into place already diverts new connections.
  const endpoint = {
    replace: (_current: ServerInstance, used: TlsCertificate) => open(used),
    leave: (replaced: ServerInstance) => replaced.stop(false),
  };
  const { closeIdle, ...swap } = createCertificateSwap(open(certificate), endpoint);
  function pause(): boolean {
    closeIdle();
    return false;
  }
  return { port: 0, ...swap, pause, resume() {} };
}

type Binding =
  | { readonly hostname: string; readonly port: number; readonly reusePort: boolean }
  | { readonly unix: string };

/** Options for ports and unix sockets. `idleTimeout` is left out: the types of unix sockets lack it. */
interface ServeOptions {
  readonly development: false;
  readonly maxRequestBodySize: number;
  readonly tls?: TlsCertificate & { readonly ciphers: string };
  fetch(request: Request, bun: Bun.Server<undefined>): Promise<Response>;
}

function serve(
  binding: Binding,
  certificate: TlsCertificate | null,
  { maxBody, handle }: Pick<HttpServerOptions, "maxBody" | "handle">,
): ServerInstance & { readonly port: number } {
  let isDraining = false;
  const allOptions = {
    development: false as const,
    idleTimeout: BODY_DEADLINE,
    maxRequestBodySize: maxBody === null ? Number.MAX_SAFE_INTEGER : maxBody + BODY_MARGIN,
    ...(certificate === null
      ? {}
      : { tls: { cert: certificate.cert, key: certificate.key, ciphers: CIPHERS } }),
    async fetch(request: Request, bun: Bun.Server<undefined>) {
      const response = await handle(request, bun.requestIP(request)?.address ?? null);
      // Otherwise the deadline would end an event stream, however much is written.
      if (response.headers.get("content-type") === "text/event-stream") bun.timeout(request, 0);
      if (isDraining) response.headers.set("connection", "close");
      return response;
    },
  };
  // Bun heeds `idleTimeout` on unix sockets too.
  const common: ServeOptions = allOptions;
  const server =
    "unix" in binding ? Bun.serve({ ...binding, ...common }) : Bun.serve({ ...binding, ...common });
  if (certificate !== null && server.protocol !== "https") {
    void server.stop(true);
    throw new Error("the runtime ignored the certificate and would serve plain HTTP");
  }
  return {
    port: server.port ?? 0,
    drain() {
      isDraining = true;
    },
    stop: (abruptly) => server.stop(abruptly),
    closeIdle: () => void server.closeIdleConnections(),
  };
}
