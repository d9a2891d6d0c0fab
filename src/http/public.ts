import { Elysia } from "elysia";
import type { RefusalCode } from "../domain/codes.ts";
import type { Handshake } from "../domain/provider.ts";
import type { Source } from "../domain/source.ts";
import type { HandshakeOutcome, HandshakeRequest } from "../flow/authorise.ts";
import type { ReceivedRequest, ReceiveOutcome } from "../flow/receive.ts";
import { findClientAddress, type TrustedProxy } from "../lib/ip-address.ts";
import type { Log } from "../lib/log.ts";
import type { ThrottledLog } from "../lib/throttled-log.ts";
import { declaresMoreThan, readBody } from "./body.ts";
import type { BodyBudget } from "./body-budget.ts";
import { problemOf, respondInternalError } from "./error-response.ts";
import { isAcceptedMediaType } from "./media-type.ts";
import { createProxyWarning } from "./proxy-warning.ts";
import {
  describeAcceptOutcome,
  type Problem,
  respond,
  respondMethodNotAllowed,
  respondProblem,
  respondText,
  respondTooManyAttempts,
} from "./responses.ts";

/** What the public listener works with. */
export interface PublicServices {
  readonly sources: readonly Source[];
  /** In bytes. */
  readonly maxBody: number;
  /** Limits the memory that requests of unverified senders take. */
  readonly bodyBudget: BodyBudget;
  /** The proxies whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly TrustedProxy[];
  /** Whether the source accepts requests from this address at all. */
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

/** The public listener's requests and responses, without a port of its own. */
export interface PublicListener {
  /**
   * Responds to one request.
   * @param peer the socket's address, or `unix` for a unix socket; null when the connection is gone already.
   */
  handle(request: Request, peer: string | null): Promise<Response>;
  /** From now on every response is 503. */
  drain(): void;
}

/** A source's response, with what is counted of it. */
interface Reply {
  readonly response: Response;
  /** The `status` word. */
  readonly status: string;
  /** Null when the request was accepted. */
  readonly code: RefusalCode | null;
}

/** Creates the public listener: the sources' paths and `/healthz`, and nothing else. */
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
    .all("/healthz", ({ request }) => respondHealth(request));
  // Compiled once: the framework's own `handle` would do it again for each request.
  const routeOther = app.compile().fetch;

  return {
    async handle(request, peer) {
      if (isDraining) return respondProblem("unavailable");
      // Of two Host lines, which arrive joined, a proxy may have used the other one (RFC 9112, section 3.2).
      if (request.headers.get("host")?.includes(",")) return respondProblem("malformed request");
      warnAboutProxy(peer, request.headers);
      // Before the framework, whose handlers get the request alone and not the peer.
      const source = sources.get(pathOf(request.url));
      if (source !== undefined) return serveSource(source, request, peer, services);
      return routeOther(withRoutableUrl(request));
    },
    drain() {
      isDraining = true;
    },
  };
}

/** The path as it came. An absent or malformed Host leaves no host in the URL, or no URL at all. */
function pathOf(url: string): string {
  return /^(?:https?:\/\/[^/?#]*)?([^?#]*)/.exec(url)?.[1] ?? "";
}

/**
 * The framework looks for the path from the URL's twelfth character on, which a host of one to three characters would
 * shift. Such a request, and one without a host, gets another host. Nothing here depends on it.
 */
function withRoutableUrl(request: Request): Request {
  const [, path] = /^https?:\/\/[^/?#]{0,3}(\/.*)$/.exec(request.url) ?? /^(\/.*)$/.exec(request.url) ?? [];
  return path === undefined ? request : new Request(`http://localhost${path}`, request);
}

function respondHealth(request: Request): Response {
  if (request.method !== "GET" && request.method !== "HEAD") return respondMethodNotAllowed(["GET", "HEAD"]);
  return respond(200, { status: "ok" });
}

/** Serves a request and counts the response, also after an error. */
async function serveSource(
  source: Source,
  request: Request,
  peer: string | null,
  services: PublicServices,
): Promise<Response> {
  const { response, status, code } = await serve(source, request, peer, services).catch((error) =>
    replyToError(error, services),
  );
  services.count(source.name, status, code);
  return response;
}

function replyToError(
  error: unknown,
  { log, logErrorThrottled }: Pick<PublicServices, "log" | "logErrorThrottled">,
): Reply {
  const response = respondInternalError(error, log, logErrorThrottled);
  return problemOf(error) === "unavailable"
    ? { response, status: "unavailable", code: "unavailable" }
    : { response, status: "internal error", code: "internal_error" };
}

/** What costs least comes first: the address, then the method, size and type, and only then who sent it. */
async function serve(
  source: Source,
  request: Request,
  peer: string | null,
  services: PublicServices,
): Promise<Reply> {
  const { maxBody, bodyBudget, trustedProxies, isAllowed, logThrottled, receive, authorise } = services;
  const { headers } = request;
  const { handshake, contentTypes } = source.handler;
  const client = findClientAddress(peer, headers.get("x-forwarded-for"), trustedProxies);

  function refuse(status: Problem, code: RefusalCode, response = respondProblem(status)): Reply {
    logThrottled({ source: source.name, client, code }, `request refused: ${status}`);
    return { response, status, code };
  }

  if (!isAllowed(source, client)) {
    const reason = "this address may not send here";
    return refuse("not authorised", "address_not_allowed", respondProblem("not authorised", { reason }));
  }
  if (request.method === "GET" && handshake !== null) {
    const query = new URLSearchParams(/\?([^#]*)/.exec(request.url)?.[1]);
    return replyToHandshake(await authorise(source, handshake, { query, headers, client }));
  }
  if (request.method !== "POST") {
    const allowed = handshake === null ? ["POST"] : ["GET", "POST"];
    return refuse("method not allowed", "method_not_allowed", respondMethodNotAllowed(allowed));
  }
  if (declaresMoreThan(maxBody, headers)) return refuse("payload too large", "payload_too_large");
  if (headers.has("content-encoding") || !isAcceptedMediaType(headers.get("content-type"), contentTypes)) {
    const reason = `send ${contentTypes.join(" or ")}, unencoded`;
    return refuse(
      "unsupported media type",
      "unsupported_media_type",
      respondProblem("unsupported media type", { reason }),
    );
  }
  const body = await readBody(request, maxBody, bodyBudget);
  if (body.kind === "too large") return refuse("payload too large", "payload_too_large");
  if (body.kind === "no room") return refuse("unavailable", "over_capacity");
  if (body.kind === "incomplete") {
    const reason = "the body is not complete";
    return refuse("invalid payload", "body_incomplete", respondProblem("invalid payload", { reason }));
  }
  try {
    return replyToDelivery(await receive(source, { headers, body: body.bytes, client }));
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
      // The WebSub and Meta handshakes want the text of `hub.challenge` and nothing else.
      const response = challenge === null ? respond(200, { status: "success" }) : respondText(challenge);
      return { response, status: "success", code: null };
    }
  }
}

function replyToDelivery(outcome: ReceiveOutcome): Reply {
  switch (outcome.kind) {
    case "refused": {
      const { status, code } = outcome;
      return { response: respondProblem(status), status, code };
    }
    case "too many attempts":
      return replyTooManyAttempts(outcome.wait);
    case "unreadable": {
      const { code, reason } = outcome;
      const status = "invalid payload";
      const response = respond(code === "unexpected_payload" ? 422 : 400, { status, reason });
      return { response, status, code };
    }
    default: {
      const { code, body } = describeAcceptOutcome(outcome);
      return { response: respond(code, body), status: body.status, code: null };
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
