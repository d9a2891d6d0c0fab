import { setImmediate as nextTurn } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { AppError, systemErrorCode } from "../../lib/errors.ts";
import { readSocketPath, UNIX } from "../../lib/ip-address.ts";
import { type HttpServer, type HttpServerOptions, openHttpServer } from "../../runtime/index.ts";
import type { Certificate } from "../tls/certificate.ts";
import { describeSocketError, publishSocket, removeStaleSocket, temporaryPathOf } from "./unix-socket.ts";

/** The address of a listener and its handler. */
export interface ListenOptions extends Pick<HttpServerOptions, "maxBody" | "handle"> {
  /** An address, a host name, or a unix socket as `unix:` and its absolute path. */
  readonly host: string;
  /** 0 picks a free port. Ignored for a unix socket. */
  readonly port: number;
  /** Null for plain HTTP. */
  readonly certificate: Certificate | null;
}

/** An open port or unix socket. */
export interface Listener {
  /** Such as `http://127.0.0.1:9000/` or `unix:/run/hooklatch.sock`. */
  readonly url: URL;
  /**
   * Uses this certificate for new connections. Open connections continue. Rejects with an {@link AppError} `failed` when
   * the certificate cannot be used, and continues with the old one.
   */
  renew(certificate: Certificate): Promise<void>;
  /** Accepts no new connection until `resume`, and closes idle ones: see {@link HttpServer.pause}. */
  pause(): boolean;
  resume(): void;
  /** Accepts no new connection, gives requests in progress `grace` milliseconds, then closes all connections. */
  stop(grace: number): Promise<void>;
}

/**
 * Opens a port or a unix socket. The handler's `peer` is `unix` on a unix socket. A socket has mode 0660 and is removed
 * when the listener stops. Rejects with an {@link AppError} `failed` when the port or socket cannot be opened.
 */
export async function openListener(options: ListenOptions): Promise<Listener> {
  const path = readSocketPath(options.host);
  const closing: ListenOptions = {
    ...options,
    handle: (request, peer) =>
      request.headers.has("transfer-encoding")
        ? handleChunked(request, peer, options)
        : options.handle(request, peer),
  };
  return path === null ? openPort(closing) : openSocket(path, closing);
}

/** Closes the connection when more of the request may come, because it was refused or its body was not read. */
async function handleChunked(
  request: Request,
  peer: string | null,
  { handle }: Pick<ListenOptions, "handle">,
): Promise<Response> {
  const response = await handle(request, peer);
  return response.ok && request.bodyUsed ? response : close(response);
}

/** Closes the connection after the response. The runtime would parse the rest, which takes long for small chunks. */
async function close(response: Response): Promise<Response> {
  response.headers.set("connection", "close");
  // A sender that reconnects at once would otherwise keep the runtime in one turn of its event loop.
  await nextTurn();
  return response;
}

async function openPort({ host, port, ...options }: ListenOptions): Promise<Listener> {
  const server = await openServer({ address: { kind: "port", host, port }, ...options }, (error) =>
    describePortError(host, port, error),
  );
  const protocol = options.certificate === null ? "http" : "https";
  const name = host.includes(":") ? `[${host}]` : host;
  const url = new URL(`${protocol}://${name}:${server.port}/`);
  return createListener(url, server, options, (error) => describePortError(host, server.port, error));
}

async function openSocket(path: string, { handle, ...options }: ListenOptions): Promise<Listener> {
  await removeStaleSocket(path);
  let remove = () => {};
  const describe = (error: unknown) => describeSocketError(path, error);
  const onBound = () => {
    // Replaces the socket of a server with an older certificate.
    remove = publishSocket(path);
  };
  const server = await openServer(
    {
      address: { kind: "socket", path: temporaryPathOf(path), onBound },
      ...options,
      handle: (request) => handle(request, UNIX),
    },
    describe,
  );
  const url = new URL(`unix:${pathToFileURL(path).pathname}`);
  const stop = (grace: number) => {
    remove();
    return server.stop(grace);
  };
  return createListener(url, { ...server, stop }, options, describe);
}

type DescribeError = (error: unknown) => AppError;

async function openServer(options: HttpServerOptions, describe: DescribeError): Promise<HttpServer> {
  try {
    return await openHttpServer(options);
  } catch (error) {
    throw describe(error);
  }
}

function createListener(
  url: URL,
  server: HttpServer,
  { certificate }: Pick<ListenOptions, "certificate">,
  describe: DescribeError,
): Listener {
  return {
    url,
    async renew(renewed) {
      if (certificate === null) throw new AppError("failed", "plain HTTP cannot use a certificate");
      try {
        server.replaceCertificate(renewed);
      } catch (error) {
        throw describe(error);
      }
    },
    pause: server.pause,
    resume: server.resume,
    stop: server.stop,
  };
}

function describePortError(host: string, port: number, error: unknown): AppError {
  const code = systemErrorCode(error);
  return new AppError("failed", `port ${port} on ${host} ${explainPortError(code, error)}`, error);
}

function explainPortError(code: string | null, error: unknown): string {
  if (code === "EADDRINUSE") return "is in use: is another hooklatch or another program running there?";
  if (code === "EACCES") {
    return "needs a privilege: give the service CAP_NET_BIND_SERVICE, or choose a port above 1023";
  }
  // Such as ERR_OSSL_X509_KEY_VALUES_MISMATCH or PEM_NO_START_LINE.
  if (code !== null && /SSL|X509|PEM/.test(code)) {
    return `cannot be served with this certificate and key (${code}): replace them`;
  }
  return `cannot be opened (${code ?? error}): check the host and port`;
}
