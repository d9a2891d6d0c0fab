import { AppError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { ThrottledLog } from "../lib/throttled-log.ts";
import { respondRefused } from "./responses.ts";

/**
 * The one map from a fault to an answer. A fault of ours is told by an id that the log line carries too,
 * never by its text: the framework's own answer would send the error's message to the sender. Whoever floods
 * us can cause the `unavailable` ones as often as they like, so those are told through `complain`.
 */
export function respondInternalError(error: unknown, log: Log, complain: ThrottledLog): Response {
  if (error instanceof AppError && error.code === "unavailable") {
    complain({ err: error }, "could not do what a request asks for");
    return respondRefused("unavailable");
  }
  const id = crypto.randomUUID();
  log.error({ id, err: error }, "internal error");
  return respondRefused("internal error", { id });
}
