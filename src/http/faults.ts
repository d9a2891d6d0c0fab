import { Fault } from "../domain/fault.ts";
import type { Log } from "../domain/log.ts";
import { refuse } from "./answers.ts";

/**
 * The one map from a fault to an answer. A fault of ours is told by an id that the log line carries too,
 * never by its text: the framework's own answer would send the error's message to the sender.
 */
export function answerFault(error: unknown, log: Log): Response {
  if (error instanceof Fault && error.code === "unavailable") {
    log.error({ err: error }, "could not keep a delivery");
    return refuse("unavailable");
  }
  const id = crypto.randomUUID();
  log.error({ id, err: error }, "internal error");
  return refuse("internal error", { id });
}
