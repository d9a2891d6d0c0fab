import type { AcceptOutcome } from "../flow/accept-delivery.ts";
import type { ReceiveOutcome } from "../flow/receive.ts";

/** Every `status` word that says that something is wrong, and the code it goes with. */
const CODES = {
  "not authorised": 401,
  "authorisation timeout": 401,
  "signature verification failed": 401,
  "bad token": 401,
  "invalid payload": 400,
  "malformed request": 400,
  "invalid request": 422,
  "payload too large": 413,
  "unsupported media type": 415,
  "method not allowed": 405,
  "misdirected request": 421,
  "not found": 404,
  "too many attempts": 429,
  "internal error": 500,
  unavailable: 503,
} as const;

/** One of those words. */
export type Problem = keyof typeof CODES;

/** On every answer of both listeners: should a browser ever show one, it shows text and nothing else. */
export const RESPONSE_HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

const JSON_TYPE = { "content-type": "application/json;charset=utf-8" };

/** Made once, since most answers have no others: under load each would cost as much as the rest of the answer. */
const JSON_HEADERS = new Headers({ ...RESPONSE_HEADERS, ...JSON_TYPE });

/** Seconds after which a sender may try again what could not be taken. */
const RETRY_AFTER = "30";

/** The `status` word of each answer, for those who count: it is in the body, where nobody wants to look for it. */
const words = new WeakMap<Response, string>();

/** The `status` word of an answer that was made here. */
export function wordOf(response: Response): string | null {
  return words.get(response) ?? null;
}

/** Answers with a JSON body that has a `status` word; fields that are null are left out. */
export function respond(
  code: number,
  body: { readonly status: string } & Readonly<Record<string, unknown>>,
  headers: Record<string, string> | null = null,
): Response {
  const told = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));
  const response = new Response(JSON.stringify(told), {
    status: code,
    headers: headers === null ? JSON_HEADERS : { ...RESPONSE_HEADERS, ...JSON_TYPE, ...headers },
  });
  words.set(response, body.status);
  return response;
}

/** Answers with plain text. */
export function respondText(text: string): Response {
  return new Response(text, {
    headers: { ...RESPONSE_HEADERS, "content-type": "text/plain; charset=utf-8" },
  });
}

/** Answers that something is wrong, with its code and the headers that belong to it. */
export function respondRefused(problem: Problem, details: { reason?: string; id?: string } = {}): Response {
  const headers = CODES[problem] === 503 ? { "retry-after": RETRY_AFTER } : null;
  return respond(CODES[problem], { status: problem, ...details }, headers);
}

/** Answers 429 and says when to try again: milliseconds from now (RFC 6585, section 4). */
export function respondTooManyAttempts(wait: number): Response {
  const headers = { "retry-after": String(Math.ceil(wait / 1000)) };
  return respond(CODES["too many attempts"], { status: "too many attempts" }, headers);
}

/** Answers 405 and names the methods that the path takes (RFC 9110, section 15.5.6). */
export function respondMethodNotAllowed(allowed: readonly string[]): Response {
  return respond(
    CODES["method not allowed"],
    { status: "method not allowed" },
    { allow: allowed.join(", ") },
  );
}

/** Echoes a `hub.challenge` as the WebSub and Meta handshakes want it: the text and nothing else. */
export function respondChallenge(challenge: string): Response {
  const response = respondText(challenge);
  words.set(response, "success");
  return response;
}

/** The one map from what became of a delivery to its answer. */
export function respondDelivery(outcome: ReceiveOutcome): Response {
  switch (outcome.kind) {
    case "refused":
      return respondRefused(outcome.refusal);
    case "too many attempts":
      return respondTooManyAttempts(outcome.wait);
    case "unreadable": {
      const code = outcome.reading.kind === "misshapen" ? 422 : 400;
      return respond(code, { status: "invalid payload", reason: outcome.reading.reason });
    }
    default: {
      const { code, body } = describeAcceptOutcome(outcome);
      return respond(code, body);
    }
  }
}

/** What the sender of a delivery is told when it is kept, or was before. */
export function describeAcceptOutcome(outcome: AcceptOutcome) {
  if (outcome.kind === "duplicate") {
    return { code: 200 as const, body: { status: "duplicate", delivery: outcome.first } };
  }
  const { status, reason, receipt } = outcome;
  const deploys = receipt.deployments.length > 0;
  const body = {
    status,
    delivery: receipt.delivery,
    ...(deploys ? { deployments: receipt.deployments.map(({ id, target }) => ({ id, target })) } : {}),
    ...(reason === null ? {} : { reason }),
  };
  // 202 says that work follows (RFC 9110, section 15.3.3).
  return { code: deploys ? (202 as const) : (200 as const), body };
}
