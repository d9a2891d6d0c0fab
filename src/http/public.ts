import { Elysia } from "elysia";
import type { Handshake } from "../domain/provider.ts";
import type { Source } from "../domain/source.ts";
import type { HandshakeOutcome, HandshakeRequest } from "../flow/authorise.ts";
import type { ReceivedRequest, ReceiveOutcome } from "../flow/receive.ts";
import { findClientAddress, type TrustedProxy } from "../lib/ip-address.ts";
import type { Log } from "../lib/log.ts";
import type { ThrottledLog } from "../lib/throttled-log.ts";
import { declaresMoreThan, readBody } from "./body.ts";
import type { BodyBudget } from "./body-budget.ts";
import { respondInternalError } from "./error-response.ts";
import { isAcceptedMediaType } from "./media-type.ts";
import { createProxyWarning } from "./proxy-warning.ts";
import {
  respond,
  respondChallenge,
  respondDelivery,
  respondMethodNotAllowed,
  respondRefused,
  respondTooManyAttempts,
  wordOf,
} from "./responses.ts";

/** What the public listener works with. */
export interface PublicTools {
  readonly sources: readonly Source[];
  /** In bytes. */
  readonly maxBody: number;
  /** Bounds what is held for senders that are not verified yet. */
  readonly unverified: BodyBudget;
  /** Whose X-Forwarded-For counts. */
  readonly trustedProxies: readonly TrustedProxy[];
  /** Whether requests may come to the source from this address at all. */
  readonly isAllowed: (source: Source, address: string | null) => boolean;
  readonly complain: ThrottledLog;
  /** The same as an error: of what could not be done now. */
  readonly complainOfFault: ThrottledLog;
  readonly receive: (source: Source, request: ReceivedRequest) => Promise<ReceiveOutcome>;
  readonly authorise: (
    source: Source,
    handshake: Handshake,
    request: HandshakeRequest,
  ) => Promise<HandshakeOutcome>;
  /** Hears the `status` word of each answer of a source. */
  readonly count: (source: string, status: string) => void;
  readonly log: Log;
}

/** The public listener's requests and answers, without a port of its own. */
export interface PublicListener {
  /**
   * Answers one request.
   * @param peer the socket's address, or `unix` for a unix socket; null when the connection is gone already.
   */
  handle(request: Request, peer: string | null): Promise<Response>;
  /** From now on every request is answered 503. */
  drain(): void;
}

/** The public listener: the sources' paths and `/healthz`, and nothing else. */
export function createPublic(tools: PublicTools): PublicListener {
  // The framework hands its handlers the request alone; who sent it travels beside it.
  const peers = new WeakMap<Request, string | null>();
  const noteProxy = createProxyWarning(tools.trustedProxies, tools.log);
  let draining = false;

  const app = new Elysia({ strictPath: true })
    .onError(({ code, error }) =>
      code === "NOT_FOUND"
        ? respondRefused("not found")
        : respondInternalError(error, tools.log, tools.complainOfFault),
    )
    .all("/healthz", ({ request }) => answerHealth(request));
  for (const source of tools.sources) {
    // parse: "none" leaves the body alone: its size and type are checked before a byte is read.
    app.all(source.path, ({ request }) => serveCounted(source, request, peers.get(request) ?? null, tools), {
      parse: "none",
    });
  }

  // Compiled once: the framework's own `handle` would do it again for each request.
  const answerRequest = app.compile().fetch;

  return {
    async handle(request, peer) {
      if (draining) return respondRefused("unavailable");
      // Of two Host lines, which arrive joined, a proxy may have gone by the other one (RFC 9112, section 3.2).
      if (request.headers.get("host")?.includes(",")) return respondRefused("malformed request");
      noteProxy(peer, request.headers);
      const routable = withRoutableUrl(request);
      peers.set(routable, peer);
      return answerRequest(routable);
    },
    drain() {
      draining = true;
    },
  };
}

/**
 * The framework looks for the path from the URL's twelfth character on, so a Host of one to three characters (a
 * container's name, say) would shift it, and an absent or malformed Host leaves no URL at all. Such a request
 * gets a host that can be routed; which one was asked for matters to nothing here.
 */
function withRoutableUrl(request: Request): Request {
  const [, path] = /^https?:\/\/[^/?#]{0,3}(\/.*)$/.exec(request.url) ?? /^(\/.*)$/.exec(request.url) ?? [];
  return path === undefined ? request : new Request(`http://localhost${path}`, request);
}

function answerHealth(request: Request): Response {
  if (request.method !== "GET" && request.method !== "HEAD") return respondMethodNotAllowed(["GET", "HEAD"]);
  return respond(200, { status: "ok" });
}

/** Serves a request and tells how it was answered, also when that was by a fault. */
async function serveCounted(
  source: Source,
  request: Request,
  peer: string | null,
  tools: PublicTools,
): Promise<Response> {
  const response = await serve(source, request, peer, tools).catch((error) =>
    respondInternalError(error, tools.log, tools.complainOfFault),
  );
  const word = wordOf(response);
  if (word !== null) tools.count(source.name, word);
  return response;
}

/** What costs least comes first: the address, then the method, size and type, and only then who sent it. */
async function serve(
  source: Source,
  request: Request,
  peer: string | null,
  tools: PublicTools,
): Promise<Response> {
  const { headers } = request;
  const client = findClientAddress(peer, headers.get("x-forwarded-for"), tools.trustedProxies);
  const { handshake } = source.handler;
  if (!tools.isAllowed(source, client)) {
    tools.complain(
      { source: source.name, client },
      "refused a request: its address is not among those allowed",
    );
    return respondRefused("not authorised", { reason: "this address may not send here" });
  }

  if (request.method === "GET" && handshake !== null) {
    const query = new URLSearchParams(/\?([^#]*)/.exec(request.url)?.[1]);
    return answerHandshake(await tools.authorise(source, handshake, { query, headers, client }));
  }
  if (request.method !== "POST")
    return respondMethodNotAllowed(handshake === null ? ["POST"] : ["GET", "POST"]);

  if (declaresMoreThan(tools.maxBody, headers)) return respondRefused("payload too large");
  if (
    headers.has("content-encoding") ||
    !isAcceptedMediaType(headers.get("content-type"), source.handler.contentTypes)
  ) {
    return respondRefused("unsupported media type", {
      reason: `send ${source.handler.contentTypes.join(" or ")}, unencoded`,
    });
  }
  const body = await readBody(request, tools.maxBody, tools.unverified);
  if (body.kind === "too large") return respondRefused("payload too large");
  if (body.kind === "no room") return respondRefused("unavailable");
  if (body.kind === "incomplete")
    return respondRefused("invalid payload", { reason: "the body is not complete" });
  try {
    return respondDelivery(await tools.receive(source, { headers, body: body.bytes, client }));
  } finally {
    body.release();
  }
}

function answerHandshake(outcome: HandshakeOutcome): Response {
  if (outcome.kind === "bad token") return respondRefused("bad token");
  if (outcome.kind === "too many attempts") return respondTooManyAttempts(outcome.wait);
  return outcome.challenge === null
    ? respond(200, { status: "success" })
    : respondChallenge(outcome.challenge);
}
