import type { AcceptOutcome } from "../flow/accept-delivery.ts";

/** Every `status` word for a problem, and its HTTP status code. */
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
  "misdirected request": 421,
  "not found": 404,
  "too many attempts": 429,
  "internal error": 500,
  unavailable: 503,
} as const;

/** The `status` word for a problem. */
export type Problem = keyof typeof PROBLEMS;

/** On every response of both listeners: should a browser ever show one, it shows text and nothing else. */
export const RESPONSE_HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

const JSON_TYPE = { "content-type": "application/json;charset=utf-8" };

/** Created once: most responses have no others, and under load they would cost as much as the rest of a response. */
const JSON_HEADERS = new Headers({ ...RESPONSE_HEADERS, ...JSON_TYPE });

/** Seconds after which a sender may repeat a request that could not be accepted. */
const RETRY_AFTER = "30";

/** Responds with a JSON body that has a `status` word. Leaves out fields that are null. */
export function respond(
  code: number,
  body: { readonly status: string } & Readonly<Record<string, unknown>>,
  headers: Record<string, string> | null = null,
): Response {
  const present = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));
  return new Response(JSON.stringify(present), {
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

/** Responds with a problem, its HTTP status code and the headers that belong to it. */
export function respondProblem(problem: Problem, details: { reason?: string; id?: string } = {}): Response {
  const code = PROBLEMS[problem];
  return respond(code, { status: problem, ...details }, code === 503 ? { "retry-after": RETRY_AFTER } : null);
}

/** Responds 429 and says when to try again: in `wait` milliseconds (RFC 6585, section 4). */
export function respondTooManyAttempts(wait: number): Response {
  const headers = { "retry-after": String(Math.ceil(wait / 1000)) };
  return respond(PROBLEMS["too many attempts"], { status: "too many attempts" }, headers);
}

/** Responds 405 and names the methods that the path accepts (RFC 9110, section 15.5.6). */
export function respondMethodNotAllowed(allowed: readonly string[]): Response {
  const headers = { allow: allowed.join(", ") };
  return respond(PROBLEMS["method not allowed"], { status: "method not allowed" }, headers);
}

/** Describes an accepted delivery, or a duplicate, to its sender. */
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
