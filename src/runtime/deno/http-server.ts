import { createPrivateKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { HttpServer, HttpServerOptions, TlsCertificate } from "../contract.ts";
import { readHeaders } from "./http-client.ts";
import { readIncomingBody } from "./incoming-body.ts";

/** Milliseconds that the head of a request may take. */
const HEAD_DEADLINE = 12_000;

/** Milliseconds that a whole request may take to arrive, and that a connection may be idle. */
const DEADLINE = 60_000;

/** Bytes above `maxBody` at which the server replies itself, so that `handle` refuses bodies that are a little too large. */
const BODY_MARGIN = 1024 * 1024;

const MAX_HEADERS = 200;

const LIMITS = {
  headersTimeout: HEAD_DEADLINE,
  requestTimeout: DEADLINE,
  keepAliveTimeout: DEADLINE,
  connectionsCheckingInterval: 1000,
  maxHeaderSize: 16_384,
  // Its response would have no length.
  requireHostHeader: false,
};

/** Opens a server of node:http: `Deno.serve` has no deadline for a head or a body. */
export async function openHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { address, certificate } = options;
  let isStopping = false;
  let isPaused = false;
  const listener = (message: IncomingMessage, response: ServerResponse) => {
    if (isStopping) response.setHeader("connection", "close");
    void exchange(message, response, options);
  };
  const secure =
    certificate === null ? null : createSecureServer({ ...LIMITS, ...checked(certificate) }, listener);
  const server = secure ?? createServer(LIMITS, listener);
  // Also while a response is written that the client does not read.
  server.timeout = DEADLINE;
  server.on("connection", (socket: Socket) => {
    // Such as a reset, which would end the process where nothing listens for it.
    socket.on("error", () => socket.destroy());
    if (isPaused) socket.destroy();
  });
  server.on("secureConnection", (socket: Socket) => socket.on("error", () => socket.destroy()));
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    // After another response, it would look like that of the next request.
    const isFirst = socket.bytesWritten === 0;
    if (socket.writable && isFirst && error.code?.startsWith("HPE_")) socket.write(refusal(error.code));
    socket.destroySoon();
  });
  // Otherwise a request to make a tunnel gets no response.
  server.on("connect", (_request, socket: Socket) => void socket.end(refusal("HPE_INVALID_METHOD")));

  if (address.kind === "port") await listen(() => server.listen({ host: address.host, port: address.port }));
  else await listenOnSocket(address);

  async function listen(start: () => void): Promise<void> {
    const listening = once(server, "listening");
    start();
    await listening;
  }

  async function listenOnSocket({ path, onBound }: { path: string; onBound: () => void }): Promise<void> {
    // The owner and the group may connect from the moment the socket exists. `listen` binds it before it returns.
    await listen(() => {
      const umask = process.umask(0o117);
      try {
        server.listen({ path });
      } finally {
        process.umask(umask);
      }
    });
    try {
      onBound();
    } catch (error) {
      server.close();
      throw error;
    }
  }

  return {
    port: address.kind === "port" ? (server.address() as AddressInfo).port : 0,
    replaceCertificate(renewed) {
      secure?.setSecureContext(checked(renewed));
    },
    pause() {
      // Nothing here makes the kernel ignore new connections: they are closed.
      isPaused = true;
      server.closeIdleConnections();
      return false;
    },
    resume() {
      isPaused = false;
    },
    async stop(grace) {
      isStopping = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), grace);
      await closed;
      clearTimeout(timer);
    },
  };
}

/** Deno would serve a certificate with the key of another one. Throws as OpenSSL does. */
function checked(certificate: TlsCertificate): TlsCertificate {
  const leaf = new X509Certificate(certificate.cert);
  if (leaf.checkPrivateKey(createPrivateKey(certificate.key))) return certificate;
  throw Object.assign(new Error("the key does not belong to the certificate"), {
    code: "ERR_OSSL_X509_KEY_VALUES_MISMATCH",
  });
}

/** The bare response to what is no valid request, by the code of the parser. */
function refusal(code: string): string {
  const status = code === "HPE_HEADER_OVERFLOW" ? "431 Request Header Fields Too Large" : "400 Bad Request";
  return `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
}

async function exchange(
  message: IncomingMessage,
  response: ServerResponse,
  { handle, maxBody, certificate }: HttpServerOptions,
): Promise<void> {
  const largest = maxBody === null ? null : maxBody + BODY_MARGIN;
  const status = refusalOf(message, largest);
  if (status !== null) return refuse(response, status);
  // The client is gone; `close` follows.
  response.on("error", () => {});
  try {
    const request = toRequest(message, response, certificate === null ? "http" : "https", largest);
    if (request === null) return refuse(response, 400);
    // A unix socket has no address.
    await send(await handle(request, message.socket.remoteAddress ?? null), message, response);
  } catch {
    // The handler logs its own errors. A response that has begun can only be cut off.
    if (response.headersSent) response.destroy();
    else refuse(response, 500);
  }
}

/** The status of a request that is not handled; null for one that is. */
function refusalOf(message: IncomingMessage, largest: number | null): number | null {
  const { rawHeaders, httpVersion, method } = message;
  const { "content-length": length } = message.headers;
  if (rawHeaders.length > 2 * MAX_HEADERS) return 431;
  if (message.headers.host === undefined && httpVersion === "1.1") return 400;
  // The parser takes other codings before `chunked`, and a proxy could frame such a body differently (RFC 9112, section 6.3).
  const codings = rawHeaders.filter((_, at) => at % 2 === 1 && isTransferEncoding(rawHeaders[at - 1]));
  if (codings.length > 0) {
    const isChunked = codings.length === 1 && codings[0]?.trim().toLowerCase() === "chunked";
    if (!isChunked || httpVersion !== "1.1" || length !== undefined) return 400;
  }
  // No `Request` can have it.
  if (method === "TRACE") return 501;
  return largest !== null && Number(length) > largest ? 413 : null;
}

function isTransferEncoding(name: string | undefined): boolean {
  return name?.toLowerCase() === "transfer-encoding";
}

function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status, { connection: "close", "content-length": "0" });
  response.end();
}

/** Null when the target is neither a path nor an absolute URL (RFC 9112, section 3.2). */
function toRequest(
  message: IncomingMessage,
  response: ServerResponse,
  protocol: "http" | "https",
  largest: number | null,
): Request | null {
  const { method = "GET", url: target = "" } = message;
  const url = target.startsWith("/")
    ? `${protocol}://${hostOf(message)}${target}`
    : withoutCredentials(target);
  if (url === null) return null;
  const closed = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) closed.abort();
  });
  const init = { method, headers: readHeaders(message), signal: closed.signal };
  if (method === "GET" || method === "HEAD") return new Request(url, init);
  const streamed: RequestInit & { readonly duplex: "half" } = {
    ...init,
    body: readIncomingBody(message, largest),
    duplex: "half",
  };
  return new Request(url, streamed);
}

/** The host of the request; `localhost` when it names none that can be in a URL. */
function hostOf({ headers: { host = "" } }: IncomingMessage): string {
  return /^[^@/?#\\]+$/.test(host) && URL.canParse(`http://${host}/`) ? host : "localhost";
}

/** No `Request` can have a URL with credentials. Null for other text than an absolute URL. */
function withoutCredentials(target: string): string | null {
  if (!/^https?:\/\//i.test(target) || !URL.canParse(target)) return null;
  const url = new URL(target);
  url.username = "";
  url.password = "";
  return url.href;
}

type BodyReader = Pick<ReadableStreamDefaultReader<Uint8Array>, "read" | "cancel">;

async function send(answer: Response, message: IncomingMessage, response: ServerResponse): Promise<void> {
  const { status, headers, body } = answer;
  for (const [name, value] of headers) response.appendHeader(name, value);
  // The rest of an unread body is not awaited.
  if (!message.complete) response.setHeader("connection", "close");
  const reader: BodyReader | undefined = body?.getReader();
  response.once("close", () => void reader?.cancel().catch(() => undefined));
  if (headers.get("content-type") === "text/event-stream") {
    response.setTimeout(0);
    response.writeHead(status);
    response.flushHeaders();
    return write(response, reader);
  }
  // Nearly all bodies are one chunk, and get a length.
  const first = await reader?.read();
  const second = first?.done === false ? await reader?.read() : undefined;
  if (second?.done !== false) {
    const hasLength = ![204, 304].includes(status);
    if (hasLength) response.setHeader("content-length", first?.value?.length ?? 0);
    response.writeHead(status);
    response.end(first?.value);
    return;
  }
  response.writeHead(status);
  if (first?.value !== undefined) response.write(first.value);
  response.write(second.value);
  return write(response, reader);
}

/** Writes as fast as the client reads. */
async function write(response: ServerResponse, reader: BodyReader | undefined): Promise<void> {
  for (let next = await reader?.read(); next?.done === false; next = await reader?.read()) {
    if (response.destroyed) return;
    if (!response.write(next.value)) await untilWritten(response);
  }
  response.end();
}

/** Resolves when the response takes more, or is closed. */
async function untilWritten(response: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  response.once("drain", resolve).once("close", resolve);
  await promise;
  response.off("drain", resolve).off("close", resolve);
}
