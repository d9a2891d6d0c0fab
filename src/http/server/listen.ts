import { pathToFileURL } from "node:url";
import { AppError, systemErrorCode } from "../../lib/errors.ts";
import { readSocketPath, UNIX } from "../../lib/ip-address.ts";
import { EVENT_STREAM } from "../media-type.ts";
import type { Certificate } from "../tls/certificate.ts";
import {
  type CertificateSwap,
  createCertificateSwap,
  createEndpoint,
  type ServerInstance,
} from "./certificate-swap.ts";
import { describeSocketError, publishSocket, removeStaleSocket, temporaryPathOf } from "./unix-socket.ts";

/** Where to listen, how, and who answers. */
export interface ListenOptions {
  /** An address, a host name, or for {@link openListener} also a unix socket as `unix:` and its absolute path. */
  readonly host: string;
  /** 0 picks a free port; a unix socket has none. */
  readonly port: number;
  /** Null for plain HTTP. */
  readonly certificate: Certificate | null;
  /**
   * The largest body in bytes that is answered by us; larger ones may get the runtime's own 413. Null where the handler
   * reads none to its end that is too large for it: the runtime throws away what is not read.
   */
  readonly maxBody: number | null;
  /** Answers a request; `peer` is the socket's address, `unix` through a unix socket, null when it is gone already. */
  readonly handle: (request: Request, peer: string | null) => Promise<Response>;
}

/** An open port or unix socket. */
export interface Listener {
  /** Where it listens, such as `http://127.0.0.1:9000/` or `unix:/run/hooklatch.sock`. */
  readonly url: URL;
  /**
   * Shows this certificate to all who connect from now on; who is connected is answered on the connection they have.
   * Rejects with a {@link AppError} `failed` when that cannot be done, and then the old one stays.
   */
  renew(certificate: Certificate): Promise<void>;
  /** Takes no new connection, lets requests under way be answered for `grace` milliseconds, then cuts them. */
  stop(grace: number): Promise<void>;
}

/** Seconds that a whole body may take to arrive (in Bun this is a deadline for the body, not an idle time). */
const BODY_DEADLINE = 60;

/**
 * What of TLS 1.2 is spoken: with forward secrecy, and encryption that authenticates (RFC 9325, section 4.2). The runtime
 * alone would take CBC with SHA-1, too. TLS 1.3 has nothing weaker.
 */
const CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20";

/**
 * Opens the port or the unix socket. A socket has mode 0660, and is removed at the end. Rejects with a {@link AppError}
 * `failed` when it cannot be had.
 */
export async function openListener(options: ListenOptions): Promise<Listener> {
  const path = readSocketPath(options.host);
  if (path === null) return listen(options);
  await removeStaleSocket(path);
  return listenOnSocket(path, options);
}

/** Opens the port. Throws a {@link AppError} `failed` when it cannot be had. */
export function listen(options: ListenOptions): Listener {
  const first = openPort(options, false);
  const { url, port } = first;
  const seat = createEndpoint(first, {
    port,
    open: (certificate, shared) => openPort({ ...options, port, certificate }, shared),
    tryOut: (certificate) =>
      void openPort({ ...options, host: "127.0.0.1", port: 0, certificate }, false).stop(true),
  });
  return describeListener(url, options, createCertificateSwap(first, seat));
}

/** @param shared beside a server of this process that listens there. Else nobody else has the port. */
function openPort(options: ListenOptions, shared: boolean): OpenServer {
  const { host, port } = options;
  const serving = describeServing(options, (request, bun) => bun.requestIP(request)?.address ?? null);
  const server = open(host, port, () =>
    Bun.serve({ hostname: host, port, reusePort: shared, ...serving.options }),
  );
  return describeServer(server, options, serving);
}

function listenOnSocket(path: string, options: ListenOptions): Listener {
  let remove = () => {};
  function openSocket(certificate: Certificate | null): OpenServer {
    let server: OpenServer | undefined;
    try {
      const serving = describeServing({ ...options, certificate }, () => UNIX);
      const opened = Bun.serve({ unix: temporaryPathOf(path), ...serving.options });
      server = describeServer(opened, { ...options, certificate }, serving);
      // In its place nobody finds the one that was there before.
      remove = publishSocket(path);
      return server;
    } catch (error) {
      void server?.stop(true);
      throw error instanceof AppError ? error : describeSocketError(path, error);
    }
  }
  const first = openSocket(options.certificate);
  const succession = createCertificateSwap(first, {
    succeed: (_current, certificate) => openSocket(certificate),
    leave: (retired) => retired.stop(false),
  });
  return describeListener(new URL(`unix:${pathToFileURL(path).pathname}`), options, {
    ...succession,
    stop(grace) {
      remove();
      return succession.stop(grace);
    },
  });
}

function describeListener(url: URL, { certificate }: ListenOptions, succession: CertificateSwap): Listener {
  return {
    url,
    async renew(renewed) {
      if (certificate === null) throw new AppError("failed", "a certificate is of no use to plain HTTP");
      succession.renew(renewed);
    },
    stop: succession.stop,
  };
}

interface OpenServer extends ServerInstance {
  readonly url: URL;
  readonly port: number;
}

function describeServer(
  server: Bun.Server<undefined>,
  options: ListenOptions,
  { retire }: Pick<ServerInstance, "retire">,
): OpenServer {
  insistOnTls(server, options);
  const { url, port = 0 } = server;
  return { url, port, retire, stop: (abruptly) => server.stop(abruptly) };
}

/** What ports and unix sockets have in common. */
interface ServingOptions {
  readonly development: boolean;
  readonly maxRequestBodySize: number;
  readonly tls?: { readonly cert: string; readonly key: string; readonly ciphers: string };
  fetch(request: Request, bun: Bun.Server<undefined>): Promise<Response>;
}

function describeServing(
  { certificate, maxBody, handle }: ListenOptions,
  peerOf: (request: Request, bun: Bun.Server<undefined>) => string | null,
): { readonly options: ServingOptions; retire(): void } {
  let isRetired = false;
  const options = {
    development: false,
    // Heeded on unix sockets too, for which the runtime's types do not have it.
    idleTimeout: BODY_DEADLINE,
    // Over this the runtime cuts the connection; up to it our own answer is given.
    maxRequestBodySize: maxBody === null ? Number.MAX_SAFE_INTEGER : maxBody + 1024 * 1024,
    ...(certificate === null
      ? {}
      : { tls: { cert: certificate.cert, key: certificate.key, ciphers: CIPHERS } }),
    async fetch(request: Request, bun: Bun.Server<undefined>) {
      const response = await handle(request, peerOf(request, bun));
      // The deadline is for the whole answer too, however much is written: an event stream has no end to wait for.
      if (response.headers.get("content-type") === EVENT_STREAM) bun.timeout(request, 0);
      if (isRetired) response.headers.set("connection", "close");
      return response;
    },
  };
  return {
    options,
    retire() {
      isRetired = true;
    },
  };
}

function insistOnTls(server: Bun.Server<undefined>, { certificate }: ListenOptions): void {
  if (certificate === null || server.protocol === "https") return;
  void server.stop(true);
  throw new AppError(
    "failed",
    "TLS is configured, but the listener does not speak HTTPS; not serving plain HTTP instead",
  );
}

function open<T>(host: string, port: number, serve: () => T): T {
  try {
    return serve();
  } catch (error) {
    const code = systemErrorCode(error);
    const why =
      code === "EADDRINUSE"
        ? "is in use; is another hooklatch running, or does another program listen there?"
        : code === "EACCES"
          ? "needs a privilege; give the service CAP_NET_BIND_SERVICE or take a port over 1023"
          : isOfTls(code)
            ? `cannot be served with this certificate and key (${code}); get others`
            : `cannot be opened (${code ?? error}); check the host and port`;
    throw new AppError("failed", `port ${port} on ${host} ${why}`, error);
  }
}

/** Such as ERR_OSSL_X509_KEY_VALUES_MISMATCH or PEM_NO_START_LINE. */
function isOfTls(code: string | null): boolean {
  return code !== null && /SSL|X509|PEM/.test(code);
}

/** Frees at once what is of no use any more, in some milliseconds. It is here since this room has `Bun` in one file only. */
export function collectGarbage(): void {
  Bun.gc(true);
}
