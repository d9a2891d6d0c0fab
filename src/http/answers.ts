import type { DeliveryStatus } from "../domain/delivery.ts";
import type { ReceiveOutcome } from "../flow/receive.ts";

/** Every `status` word that the public listener answers with, and the code it goes with. */
const CODES = {
  "not authorised": 401,
  "authorisation timeout": 401,
  "signature verification failed": 401,
  "bad token": 401,
  "invalid payload": 400,
  "payload too large": 413,
  "unsupported media type": 415,
  "method not allowed": 405,
  "misdirected request": 421,
  "not found": 404,
  "internal error": 500,
  unavailable: 503,
} as const;

export type Problem = keyof typeof CODES;

const ANSWER_HEADERS = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

/** Seconds after which a sender may try again what could not be taken. */
const RETRY_AFTER = "30";

/** Answers with a JSON body; fields that are null are left out. */
export function answer(
  code: number,
  body: Readonly<Record<string, unknown>>,
  headers: Record<string, string> = {},
) {
  const told = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));
  return Response.json(told, { status: code, headers: { ...ANSWER_HEADERS, ...headers } });
}

/** Answers that something is wrong, with its code and the headers that belong to it. */
export function refuse(problem: Problem, details: { reason?: string; id?: string } = {}): Response {
  const headers = CODES[problem] === 503 ? { "retry-after": RETRY_AFTER } : {};
  return answer(CODES[problem], { status: problem, ...details }, headers);
}

/** Answers 405 and names the methods that the path takes (RFC 9110, section 15.5.6). */
export function refuseMethod(allowed: readonly string[]): Response {
  return answer(CODES["method not allowed"], { status: "method not allowed" }, { allow: allowed.join(", ") });
}

/** Echoes a `hub.challenge` as the WebSub and Meta handshakes want it: the text and nothing else. */
export function echo(challenge: string): Response {
  return new Response(challenge, {
    headers: { ...ANSWER_HEADERS, "content-type": "text/plain; charset=utf-8" },
  });
}

/** The one map from what became of a delivery to its answer. */
export function answerDelivery(outcome: ReceiveOutcome): Response {
  switch (outcome.kind) {
    case "refused":
      return refuse(outcome.refusal);
    case "unreadable": {
      const code = outcome.reading.kind === "misshapen" ? 422 : 400;
      return answer(code, { status: "invalid payload", reason: outcome.reading.reason });
    }
    case "duplicate":
      return answer(200, { status: "duplicate", delivery: outcome.first });
    case "kept": {
      const { status, reason, receipt } = outcome;
      const deployments = receipt.deployments.length > 0 ? receipt.deployments : null;
      return answer(codeFor(status, deployments !== null), {
        status,
        delivery: receipt.delivery,
        deployments,
        reason,
      });
    }
  }
}

/** 202 says that work follows (RFC 9110, section 15.3.3); 200 that there is none. */
function codeFor(status: DeliveryStatus, deploys: boolean): number {
  return status !== "pong" && deploys ? 202 : 200;
}
