import { Elysia } from "elysia";
import type { RefusalCode } from "../domain/codes.ts";
import type { Handshake } from "../domain/provider.ts";
import type { Source } from "../domain/source.ts";
import type { HandshakeOutcome, HandshakeRequest } from "../flow/authorise.ts";
import type { ReceivedRequest, ReceiveOutcome } from "../flow/receive.ts";
import type { Refusals } from "../flow/refusals.ts";
import type { ThrottledLog } from "../lib/log.ts";
import { type AnsweredDelivery, type AnswerServices, answerDelivery } from "./answer.ts";
import { type BodyOutcome, declaresMoreThan, isAcceptedContent, readBody } from "./body.ts";
import type { BodyBudget } from "./body-budget.ts";
import { type ClientAddressServices, createClientFinder, createProxyWarning } from "./client-address.ts";
import {
  type Problem,
  problemOf,
  respond,
  respondInternalError,
  respondMethodNotAllowed,
  respondProblem,
  respondText,
  respondTooManyAttempts,
} from "./responses.ts";

/** The services of the public listener. */
export interface PublicServices extends AnswerServices, ClientAddressServices {
  readonly sources: readonly Source[];
  /** In bytes. */
  readonly maxBody: number;
  readonly bodyBudget: BodyBudget;
  /** Whether the source accepts requests from this address. */
  readonly isAllowed: (source: Source, address: string | null) => boolean;
  readonly refusals: Pick<Refusals, "record">;
  /** For errors that any sender can cause. */
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
  handle(request: Request, peer: string | null): Response | Promise<Response>;
  /** Makes every later response a 503. */
  drain(): void;
}

/** A source's response, and what is counted. */
interface Reply extends AnsweredDelivery {
  /** Missing for an accepted request. */
  readonly refusal?: {
    readonly code: RefusalCode;
    /** What exactly was refused; null where the code says it all. */
    readonly reason: string | null;
  };
}

/** Creates the public listener. It serves the sources' paths and `/healthz`. */
export function createPublic(services: PublicServices): PublicListener {
  const { log, logErrorThrottled } = services;
  const sources = new Map(services.sources.map((source) => [source.path, source]));
  const warnAboutProxy = createProxyWarning(services.trustedProxies, log);
  const findClient = createClientFinder(services);
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
    handle(request, peer) {
      if (isDraining) return respondProblem("unavailable");
      // Two Host lines arrive joined. A proxy may have used the other one (RFC 9112, section 3.2).
      if (request.headers.get("host")?.includes(",")) return respondProblem("malformed request");
      warnAboutProxy(peer, request.headers);
      // The framework's handlers do not get the peer.
      const source = sources.get(pathOf(request.url));
      return source === undefined
        ? routeOther(withRoutableUrl(request))
        : serveSource(source, request, findClient(peer, request.headers), services);
    },
    drain() {
      isDraining = true;
    },
  };
}

/** The path as received, with a fragment. A missing or malformed Host header leaves the URL without a host. */
function pathOf(url: string): string {
  return /^(?:https?:\/\/[^/?#]*)?([^?]*)/.exec(url)?.[1] ?? "";
}

/** The parameters of the URL. Most senders send none. */
function readQuery(url: string): URLSearchParams {
  const start = url.indexOf("?");
  return start === -1 ? new URLSearchParams() : new URLSearchParams(/[^#]*/.exec(url.slice(start + 1))?.[0]);
}

/**
 * Replaces a host of up to three characters, or a missing one. The framework searches for the path from the twelfth
 * character of the URL on.
 */
function withRoutableUrl(request: Request): Request {
  const [, path] = /^(?:https?:\/\/[^/?#]{0,3})?(\/.*)$/.exec(request.url) ?? [];
  return path === undefined ? request : new Request(`http://localhost${path}`, request);
}

/** Serves a request, counts the response, also after an error, and records a refusal. */
async function serveSource(
  source: Source,
  request: Request,
  client: string | null,
  services: PublicServices,
): Promise<Response> {
  const { log, logErrorThrottled, refusals, count } = services;
  try {
    const { response, status, refusal } = await serve(source, request, client, services);
    if (refusal !== undefined)
      refusals.record(source, status, { ...refusal, client, headers: request.headers });
    count(source.name, status, refusal?.code ?? null);
    return response;
  } catch (error) {
    const status = problemOf(error);
    count(source.name, status, status === "unavailable" ? status : "internal_error");
    return respondInternalError(error, log, logErrorThrottled);
  }
}

/** Checks in the order of their cost: the address, the method, the size and type, and then the sender. */
async function serve(
  source: Source,
  request: Request,
  client: string | null,
  services: PublicServices,
): Promise<Reply> {
  const { maxBody, bodyBudget, isAllowed, receive, authorise } = services;
  const { headers, method, url } = request;
  const { handshake, contentTypes } = source.handler;
  if (!isAllowed(source, client)) {
    return refuse(
      "not authorised",
      "address_not_allowed",
      "the source does not accept requests from this address",
    );
  }
  const query = readQuery(url);
  if (method === "GET" && handshake !== null) {
    return replyToHandshake(await authorise(source, handshake, { query, headers, client }));
  }
  if (method !== "POST") {
    const response = respondMethodNotAllowed(handshake === null ? ["POST"] : ["GET", "POST"]);
    const reason = `the request is a ${method.slice(0, 20)}`;
    return { response, status: "method not allowed", refusal: { code: "method_not_allowed", reason } };
  }
  if (declaresMoreThan(maxBody, headers)) return refuse("payload too large", "payload_too_large");
  if (!isAcceptedContent(headers, contentTypes)) {
    const reason = `send ${contentTypes.join(" or ")}, unencoded`;
    return refuse("unsupported media type", "unsupported_media_type", reason);
  }
  const body = await readBody(request, maxBody, bodyBudget);
  if (body.kind !== "read") return refuseBody(body.kind);
  let outcome: ReceiveOutcome;
  try {
    const received = { method, path: source.path, query, headers, body: body.bytes, client };
    outcome = await receive(source, received);
  } finally {
    body.release();
  }
  return replyToDelivery(source, outcome, request, services);
}

function refuseBody(kind: Exclude<BodyOutcome["kind"], "read">): Reply {
  switch (kind) {
    case "too large":
      return refuse("payload too large", "payload_too_large");
    case "fragmented":
      return refuse("invalid payload", "body_fragmented", "the body comes in too many small chunks");
    case "no room":
      return refuse("unavailable", "over_capacity");
    case "incomplete":
      return refuse("invalid payload", "body_incomplete", "the body is not complete");
  }
}

/** A refusal without a response of its own. The reason is sent, too. */
function refuse(status: Problem, code: RefusalCode, reason?: string): Reply {
  const response = respondProblem(status, reason === undefined ? {} : { reason });
  return { response, status, refusal: { code, reason: reason ?? null } };
}

function replyToHandshake(outcome: HandshakeOutcome): Reply {
  switch (outcome.kind) {
    case "bad token":
      return refuse("bad token", outcome.code);
    case "address unknown":
      return refuse("not authorised", "client_address_unknown", "the address of the client is not known");
    case "too many attempts":
      return replyTooManyAttempts(outcome.wait);
    case "authorised": {
      const { challenge } = outcome;
      // The WebSub and Meta handshakes expect the text of `hub.challenge` alone.
      const response = challenge === null ? respond(200, { status: "success" }) : respondText(challenge);
      return { response, status: "success" };
    }
  }
}

function replyToDelivery(
  source: Source,
  outcome: ReceiveOutcome,
  request: Request,
  services: AnswerServices,
): Reply | Promise<Reply> {
  switch (outcome.kind) {
    case "refused":
      return refuse(outcome.status, outcome.code);
    case "too many attempts":
      return replyTooManyAttempts(outcome.wait);
    case "challenge":
      return { response: respondText(outcome.text), status: "success" };
    case "unreadable": {
      const { code, reason } = outcome;
      const status = "invalid payload";
      const response = respond(code === "unexpected_payload" ? 422 : 400, { status, reason });
      return { response, status, refusal: { code, reason } };
    }
    default:
      return answerDelivery(source, outcome, request, services);
  }
}

function replyTooManyAttempts(wait: number): Reply {
  return {
    response: respondTooManyAttempts(wait),
    status: "too many attempts",
    refusal: { code: "too_many_attempts", reason: null },
  };
}
