import { Fault } from "../domain/fault.ts";
import type { Log } from "../domain/log.ts";
import type { Complain } from "../flow/complain.ts";
import { refuse } from "./answers.ts";

/**
 * The one map from a fault to an answer. A fault of ours is told by an id that the log line carries too,
 * never by its text: the framework's own answer would send the error's message to the sender. Whoever floods
 * us can cause the `unavailable` ones as often as they like, so those are told through `complain`.
 */
export function answerFault(error: unknown, log: Log, complain: Complain): Response {
  if (error instanceof Fault && error.code === "unavailable") {
    complain({ err: error }, "could not do what a request asks for");
    return refuse("unavailable");
  }
  const id = crypto.randomUUID();
  log.error({ id, err: error }, "internal error");
  return refuse("internal error", { id });
}
