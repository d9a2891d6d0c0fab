import { setImmediate as nextTurn } from "node:timers/promises";
import type { ApiReceipt } from "../api/delivery.ts";
import type { AcceptOutcome } from "../flow/accept-delivery.ts";
import { AppError } from "../lib/errors.ts";
import type { Log, ThrottledLog } from "../lib/log.ts";

/** The HTTP status code of each problem, by its `status` word. */
const PROBLEMS = {
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
  "cross-origin request": 403,
  "misdirected request": 421,
  "not found": 404,
  "too many attempts": 429,
  "internal error": 500,
  unavailable: 503,
} as const;

/** The `status` word of a problem. */
export type Problem = keyof typeof PROBLEMS;

/** The headers of every response of both listeners. A browser shows the response as text, and loads nothing. */
export const RESPONSE_HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

const JSON_TYPE = { "content-type": "application/json;charset=utf-8" };

/** Created once, because creating headers costs as much as the rest of a response. */
const JSON_HEADERS = new Headers({ ...RESPONSE_HEADERS, ...JSON_TYPE });

/** In seconds. */
const RETRY_AFTER = "30";

/** Responds with JSON. Omits fields that are undefined. */
export function respond(
  code: number,
  body: { readonly status: string } & Readonly<Record<string, unknown>>,
  headers: Record<string, string> | null = null,
): Response {
  return new Response(JSON.stringify(body), {
    status: code,
    headers: headers === null ? JSON_HEADERS : { ...RESPONSE_HEADERS, ...JSON_TYPE, ...headers },
  });
}

/** Responds with plain text. */
export function respondText(text: string): Response {
  return new Response(text, {
    headers: { ...RESPONSE_HEADERS, "content-type": "text/plain; charset=utf-8" },
  });
}

/** Responds with plain text in parts, which are read as fast as the client takes them, one in each turn of the event loop. */
export function respondWithText(parts: AsyncGenerator<string>): Response {
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await nextTurn();
      const { done, value } = await parts.next();
      if (done === true) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    async cancel() {
      await parts.return(undefined);
    },
  });
  return new Response(body, {
    headers: { ...RESPONSE_HEADERS, "content-type": "text/plain; charset=utf-8" },
  });
}

/** Responds with a problem. A 503 has a Retry-After header. */
export function respondProblem(problem: Problem, details: { reason?: string; id?: string } = {}): Response {
  const code = PROBLEMS[problem];
  return respond(code, { status: problem, ...details }, code === 503 ? { "retry-after": RETRY_AFTER } : null);
}

/** Responds 429 with a Retry-After header (RFC 6585, section 4). `wait` is in milliseconds. */
export function respondTooManyAttempts(wait: number): Response {
  const headers = { "retry-after": String(Math.ceil(wait / 1000)) };
  return respond(429, { status: "too many attempts" }, headers);
}

/** Responds 405 with an Allow header (RFC 9110, section 15.5.6). */
export function respondMethodNotAllowed(allowed: readonly string[]): Response {
  return respond(405, { status: "method not allowed" }, { allow: allowed.join(", ") });
}

/** The `status` word of an error: a condition that may pass, or a fault of the program. */
export function problemOf(error: unknown): Extract<Problem, "unavailable" | "internal error"> {
  return error instanceof AppError && error.code === "unavailable" ? "unavailable" : "internal error";
}

/**
 * Logs an error and responds 503 or 500. A 500 has an id that the log line has too, and never the error's message,
 * which the framework would send. Senders can cause any number of 503s, so these go to `logThrottled`.
 */
export function respondInternalError(error: unknown, log: Log, logThrottled: ThrottledLog): Response {
  if (problemOf(error) === "unavailable") {
    logThrottled({ code: "unavailable", err: error }, "request failed: the store is unavailable");
    return respondProblem("unavailable");
  }
  const id = crypto.randomUUID();
  log.error({ id, code: "internal_error", err: error }, "internal error");
  return respondProblem("internal error", { id });
}

/** The response to an accepted or duplicate delivery. */
export function toReceiptResponse(outcome: AcceptOutcome): { code: 200 | 202; receipt: ApiReceipt } {
  if (outcome.kind === "duplicate") {
    return { code: 200, receipt: { status: "duplicate", delivery: outcome.first } };
  }
  const { status, reason } = outcome;
  const { delivery, deployments } = outcome.receipt;
  const receipt = {
    status,
    delivery,
    ...(deployments.length > 0 && { deployments: deployments.map(({ id, target }) => ({ id, target })) }),
    ...(reason !== null && { reason }),
  };
  // 202: the deployments follow (RFC 9110, section 15.3.3).
  return { code: deployments.length > 0 ? 202 : 200, receipt };
}
