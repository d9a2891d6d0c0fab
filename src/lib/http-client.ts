import { systemErrorCode } from "./errors.ts";
import { createGrowingBuffer } from "./growing-buffer.ts";
import { isLoopback } from "./ip-address.ts";

/** One outgoing request. */
export interface HttpRequest {
  /** GET by default. */
  readonly method?: "GET" | "HEAD" | "POST" | "DELETE";
  readonly headers?: Headers | Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Milliseconds until the whole response, of a stream its head, must have arrived. */
  readonly timeout: number;
  /** Cancels the request. */
  readonly signal?: AbortSignal;
  /** Whether the proxies of the environment apply, to hosts other than this machine. They do by default. */
  readonly proxy?: "environment" | "none";
  /** The unix socket to connect to, in place of the URL's host. */
  readonly socketPath?: string;
  /** PEM certificates that replace the public roots. */
  readonly ca?: string;
  /** Whether any certificate is accepted; false by default. */
  readonly insecure?: boolean;
}

/** A request whose response is read into memory. */
export interface BufferedHttpRequest extends HttpRequest {
  /** Bytes of the largest response body that is accepted. With 0 the body is dropped unread. */
  readonly maxBody: number;
}

/** A response of any status. Redirects are never followed. */
export interface HttpResponse<Body> {
  readonly kind: "response";
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

/** Why there is no response. */
export type HttpFailure =
  | { readonly kind: "timeout"; readonly milliseconds: number }
  | { readonly kind: "aborted" }
  | { readonly kind: "too large"; readonly maxBody: number }
  /** The URL is not an http or https URL. */
  | { readonly kind: "invalid URL" }
  /** The server's certificate cannot be verified; `code` is OpenSSL's, such as `CERT_HAS_EXPIRED`. */
  | { readonly kind: "untrusted"; readonly code: string; readonly cause: unknown }
  /** The connection failed; `code` is the system's, such as `ECONNREFUSED`, or the error's class. */
  | { readonly kind: "unreachable"; readonly code: string; readonly cause: unknown };

/** Sends requests over HTTP. No method rejects. */
export interface HttpClient {
  request(url: string | URL, request: BufferedHttpRequest): Promise<HttpResponse<Uint8Array> | HttpFailure>;
  /** Resolves when the head of the response has arrived; `signal` also ends the body. */
  openStream(
    url: string | URL,
    request: HttpRequest,
  ): Promise<HttpResponse<ReadableStream<Uint8Array>> | HttpFailure>;
}

/** A request as the runtime sends it: with the deadline in `signal`, and `proxy` decided. */
export type OutgoingRequest = HttpRequest & Required<Pick<HttpRequest, "signal" | "proxy">>;

/**
 * Sends a request on a connection of its own and resolves with the head of the response. Follows no redirect. Rejects
 * with an error whose `code` is the system's or OpenSSL's, or with any error once the signal is aborted.
 */
export type SendRequest = (url: URL, request: OutgoingRequest) => Promise<Response>;

/** Creates a client that sends through the runtime. */
export function createHttpClient(send: SendRequest): HttpClient {
  return {
    request: (url, request) =>
      exchange(send, url, request, async (response) => {
        const body = await readBody(response, request.maxBody);
        return body === null ? { kind: "too large", maxBody: request.maxBody } : describe(response, body);
      }),
    openStream: (url, request) =>
      exchange(send, url, request, async (response) =>
        describe(response, response.body ?? new Blob().stream()),
      ),
  };
}

async function exchange<Result>(
  send: SendRequest,
  url: string | URL,
  request: HttpRequest,
  read: (response: Response) => Promise<Result>,
): Promise<Result | HttpFailure> {
  const address = parseUrl(url);
  if (address === null) return { kind: "invalid URL" };
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), request.timeout);
  const signals = [timeout.signal, ...(request.signal === undefined ? [] : [request.signal])];
  try {
    const proxy = isDirect(address, request) ? "none" : "environment";
    return await read(await send(address, { ...request, proxy, signal: AbortSignal.any(signals) }));
  } catch (error) {
    if (request.signal?.aborted) return { kind: "aborted" };
    if (timeout.signal.aborted) return { kind: "timeout", milliseconds: request.timeout };
    return classify(error);
  } finally {
    clearTimeout(timer);
  }
}

/** The runtime can also fetch from files and buckets, which no caller intends. */
function parseUrl(url: string | URL): URL | null {
  if (!URL.canParse(String(url))) return null;
  const parsed = new URL(url);
  return /^https?:$/.test(parsed.protocol) ? parsed : null;
}

function isDirect({ hostname }: URL, { proxy, socketPath }: HttpRequest): boolean {
  return proxy === "none" || socketPath !== undefined || isLoopback(hostname);
}

function describe<Body>({ status, headers }: Response, body: Body): HttpResponse<Body> {
  return { kind: "response", status, headers, body };
}

/** Null when the body is too large. */
async function readBody({ body }: Response, maxBody: number): Promise<Uint8Array | null> {
  if (maxBody === 0) {
    // Not awaited: the outcome is known, whatever the rest of the body does.
    body?.cancel().catch(() => undefined);
    return new Uint8Array();
  }
  const buffer = createGrowingBuffer(maxBody);
  for await (const chunk of body ?? []) {
    // Leaving the loop cancels the rest.
    if (buffer.length + chunk.byteLength > maxBody) return null;
    buffer.append(chunk);
  }
  return buffer.bytes();
}

const CERTIFICATE_CODE =
  /^(?:CERT_.*|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_.*|ERR_TLS_CERT_ALTNAME_INVALID|INVALID_CA|HOSTNAME_MISMATCH)$/;

function classify(error: unknown): HttpFailure {
  const code = systemErrorCode(error) ?? (error instanceof Error ? error.name : "unknown error");
  return { kind: CERTIFICATE_CODE.test(code) ? "untrusted" : "unreachable", code, cause: error };
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection closed by the server",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "the host name cannot be resolved now",
  EPROTO: "TLS handshake failed",
  // What `fetch` throws for a header that is not allowed.
  TypeError: "the request is invalid",
  // Bun's name for it.
  Malformed_HTTP_Response: "the response is not HTTP",
};

/** A failure in words that complete "the request failed: …". They never repeat the URL or a header. */
export function describeHttpFailure(failure: HttpFailure): string {
  switch (failure.kind) {
    case "timeout":
      return `no response within ${failure.milliseconds / 1000} s`;
    case "aborted":
      return "cancelled";
    case "too large":
      return `the response is larger than ${formatSize(failure.maxBody)}`;
    case "invalid URL":
      return "the address is not an http or https URL";
    case "untrusted":
      return `the server's certificate cannot be verified (${failure.code})`;
    case "unreachable":
      return WORDS[failure.code] ?? `connection failed (${failure.code})`;
  }
}

function formatSize(bytes: number): string {
  return bytes % 1024 ** 2 === 0 ? `${bytes / 1024 ** 2} MiB` : `${bytes} bytes`;
}
