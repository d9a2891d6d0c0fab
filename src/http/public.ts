import { Elysia } from "elysia";
import type { RefusalCode } from "../domain/codes.ts";
import type { Handshake } from "../domain/provider.ts";
import type { Source } from "../domain/source.ts";
import type { HandshakeOutcome, HandshakeRequest } from "../flow/authorise.ts";
import type { ReceivedRequest, ReceiveOutcome } from "../flow/receive.ts";
import { findClientAddress, isWithin, parseRange, type TrustedProxy } from "../lib/ip-address.ts";
import type { Log, ThrottledLog } from "../lib/log.ts";
import { declaresMoreThan, isAcceptedContent, readBody } from "./body.ts";
import type { BodyBudget } from "./body-budget.ts";
import {
  type Problem,
  problemOf,
  respond,
  respondInternalError,
  respondMethodNotAllowed,
  respondProblem,
  respondText,
  respondTooManyAttempts,
  toReceiptResponse,
} from "./responses.ts";

/** The services of the public listener. */
export interface PublicServices {
  readonly sources: readonly Source[];
  /** In bytes. */
  readonly maxBody: number;
  readonly bodyBudget: BodyBudget;
  /** The proxies whose X-Forwarded-For header is trusted. */
  readonly trustedProxies: readonly TrustedProxy[];
  /** Whether the source accepts requests from this address. */
  readonly isAllowed: (source: Source, address: string | null) => boolean;
  readonly log: Log;
  readonly logThrottled: ThrottledLog;
  /** The same at level `error`. */
  readonly logErrorThrottled: ThrottledLog;
  readonly receive: (source: Source, request: ReceivedRequest) => Promise<ReceiveOutcome>;
  readonly authorise: (
    source: Source,
    handshake: Handshake,
    request: HandshakeRequest,
  ) => Promise<HandshakeOutcome>;
  /** Counts a source's response by its `status` word, and by the code of a refusal. */
  readonly count: (source: string, status: string, code: RefusalCode | null) => void;
}

/** Handles the requests of the public listener. */
export interface PublicListener {
  /** @param peer the socket's address, or `unix` for a unix socket; null when the connection is already closed. */
  handle(request: Request, peer: string | null): Promise<Response>;
  /** Makes every later response a 503. */
  drain(): void;
}

/** A source's response, and what is counted. */
interface Reply {
  readonly response: Response;
  /** The `status` word. */
  readonly status: string;
  /** Null for an accepted request. */
  readonly code: RefusalCode | null;
}

/** Creates the public listener. It serves the sources' paths and `/healthz`. */
export function createPublic(services: PublicServices): PublicListener {
  const { log, logErrorThrottled } = services;
  const sources = new Map(services.sources.map((source) => [source.path, source]));
  const warnAboutProxy = createProxyWarning(services.trustedProxies, log);
  let isDraining = false;

  const app = new Elysia({ strictPath: true })
    .onError(({ code, error }) =>
      code === "NOT_FOUND"
        ? respondProblem("not found")
        : respondInternalError(error, log, logErrorThrottled),
    )
    .all("/healthz", ({ request: { method } }) =>
      method === "GET" || method === "HEAD"
        ? respond(200, { status: "ok" })
        : respondMethodNotAllowed(["GET", "HEAD"]),
    );
  // The framework's own `handle` compiles the routes for each request.
  const routeOther = app.compile().fetch;

  return {
    async handle(request, peer) {
      if (isDraining) return respondProblem("unavailable");
      // Two Host lines arrive joined. A proxy may have used the other one (RFC 9112, section 3.2).
      if (request.headers.get("host")?.includes(",")) return respondProblem("malformed request");
      warnAboutProxy(peer, request.headers);
      // The framework's handlers do not get the peer.
      const source = sources.get(pathOf(request.url));
      return source === undefined
        ? routeOther(withRoutableUrl(request))
        : serveSource(source, request, peer, services);
    },
    drain() {
      isDraining = true;
    },
  };
}

const LOOPBACK = ["127.0.0.0/8", "::1"].map(parseRange);

/**
 * Creates a check that warns once when a local proxy forwards requests and `trusted_proxies` is empty. All senders then
 * have the proxy's address, so that authorising one sender authorises all.
 */
function createProxyWarning(
  trusted: readonly TrustedProxy[],
  log: Log,
): (peer: string | null, headers: Headers) => void {
  let isDone = trusted.length > 0;
  return (peer, headers) => {
    if (isDone || peer === null || !headers.has("x-forwarded-for") || !isWithin(peer, LOOPBACK)) return;
    isDone = true;
    log.warn(
      { proxy: peer },
      `a proxy at ${peer} forwards requests, and all senders have its address: add it to trusted_proxies`,
    );
  };
}

/** The path as received, with a fragment. A missing or malformed Host header leaves the URL without a host. */
function pathOf(url: string): string {
  return /^(?:https?:\/\/[^/?#]*)?([^?]*)/.exec(url)?.[1] ?? "";
}

/**
 * Replaces a host of up to three characters, or a missing one. The framework searches for the path from the twelfth
 * character of the URL on.
 */
function withRoutableUrl(request: Request): Request {
  const [, path] = /^(?:https?:\/\/[^/?#]{0,3})?(\/.*)$/.exec(request.url) ?? [];
  return path === undefined ? request : new Request(`http://localhost${path}`, request);
}

/** Serves a request and counts the response, also after an error. */
async function serveSource(
  source: Source,
  request: Request,
  peer: string | null,
  services: PublicServices,
): Promise<Response> {
  const { response, status, code } = await serve(source, request, peer, services).catch(
    (error: unknown): Reply => {
      const status = problemOf(error);
      const response = respondInternalError(error, services.log, services.logErrorThrottled);
      return { response, status, code: status === "unavailable" ? status : "internal_error" };
    },
  );
  services.count(source.name, status, code);
  return response;
}

/** Checks in the order of their cost: the address, the method, the size and type, and then the sender. */
async function serve(
  source: Source,
  request: Request,
  peer: string | null,
  services: PublicServices,
): Promise<Reply> {
  const { maxBody, bodyBudget, trustedProxies, isAllowed, logThrottled, receive, authorise } = services;
  const { headers, method, url } = request;
  const { handshake, contentTypes } = source.handler;
  const client = findClientAddress(peer, headers.get("x-forwarded-for"), trustedProxies);

  function refuse(status: Problem, code: RefusalCode, reason?: string): Reply {
    logThrottled({ source: source.name, client, code }, `request refused: ${status}`);
    return { response: respondProblem(status, reason === undefined ? {} : { reason }), status, code };
  }

  if (!isAllowed(source, client)) {
    return refuse(
      "not authorised",
      "address_not_allowed",
      "the source does not accept requests from this address",
    );
  }
  const query = new URLSearchParams(/\?([^#]*)/.exec(url)?.[1]);
  if (method === "GET" && handshake !== null) {
    return replyToHandshake(await authorise(source, handshake, { query, headers, client }));
  }
  if (method !== "POST") {
    const response = respondMethodNotAllowed(handshake === null ? ["POST"] : ["GET", "POST"]);
    return { ...refuse("method not allowed", "method_not_allowed"), response };
  }
  if (declaresMoreThan(maxBody, headers)) return refuse("payload too large", "payload_too_large");
  if (!isAcceptedContent(headers, contentTypes)) {
    const reason = `send ${contentTypes.join(" or ")}, unencoded`;
    return refuse("unsupported media type", "unsupported_media_type", reason);
  }
  const body = await readBody(request, maxBody, bodyBudget);
  switch (body.kind) {
    case "too large":
      return refuse("payload too large", "payload_too_large");
    case "no room":
      return refuse("unavailable", "over_capacity");
    case "incomplete":
      return refuse("invalid payload", "body_incomplete", "the body is not complete");
  }
  try {
    const received = { method, path: source.path, query, headers, body: body.bytes, client };
    return replyToDelivery(await receive(source, received));
  } finally {
    body.release();
  }
}

function replyToHandshake(outcome: HandshakeOutcome): Reply {
  switch (outcome.kind) {
    case "bad token":
      return { response: respondProblem("bad token"), status: "bad token", code: outcome.code };
    case "too many attempts":
      return replyTooManyAttempts(outcome.wait);
    case "authorised": {
      const { challenge } = outcome;
      // The WebSub and Meta handshakes expect the text of `hub.challenge` alone.
      const response = challenge === null ? respond(200, { status: "success" }) : respondText(challenge);
      return { response, status: "success", code: null };
    }
  }
}

function replyToDelivery(outcome: ReceiveOutcome): Reply {
  switch (outcome.kind) {
    case "refused":
      return { response: respondProblem(outcome.status), status: outcome.status, code: outcome.code };
    case "too many attempts":
      return replyTooManyAttempts(outcome.wait);
    case "challenge":
      return { response: respondText(outcome.text), status: "success", code: null };
    case "unreadable": {
      const { code, reason } = outcome;
      const status = "invalid payload";
      const response = respond(code === "unexpected_payload" ? 422 : 400, { status, reason });
      return { response, status, code };
    }
    default: {
      const { code, receipt } = toReceiptResponse(outcome);
      return { response: respond(code, receipt), status: receipt.status, code: null };
    }
  }
}

function replyTooManyAttempts(wait: number): Reply {
  return {
    response: respondTooManyAttempts(wait),
    status: "too many attempts",
    code: "too_many_attempts",
  };
}
