import { AppError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { ThrottledLog } from "../lib/throttled-log.ts";
import { type Problem, respondProblem } from "./responses.ts";

/** The `status` word for an error: something that cannot be done now, or a fault of the program. */
export function problemOf(error: unknown): Extract<Problem, "unavailable" | "internal error"> {
  return error instanceof AppError && error.code === "unavailable" ? "unavailable" : "internal error";
}

/**
 * Logs an error and responds to it. The response to a fault of the program has an id that the log line has too, and
 * never the error's message, which the framework would send. Any sender can cause `unavailable` as often as it likes, so
 * that is logged through `logThrottled`.
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
