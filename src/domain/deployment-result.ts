import type { ResultCode } from "./codes.ts";
import type { Deployment } from "./deployment.ts";

/** The parts of a deployment that say how it ended. */
export type ResultParts = Pick<Deployment, "target" | "code" | "reason" | "supersededBy" | "retriedAs">;

/**
 * Describes how a deployment ended, for the API, logs and notifications. Null where its state says it all. The text
 * contains output of commands: escape it wherever it is shown.
 */
export function describeResult(result: ResultParts): string | null {
  const { target, code, reason, supersededBy, retriedAs } = result;
  if (code === "superseded") {
    return supersededBy === null ? "a newer deployment was queued" : `deployment ${supersededBy} is newer`;
  }
  // An interrupted deployment is followed by its retry or, where one was queued already, by a newer deployment.
  const next = retriedAs ?? supersededBy;
  const parts = [
    code === "not_configured" ? `target ${target} is no longer configured` : null,
    describeInterruption(code),
    reason,
    next === null ? null : `deployment ${next} follows it`,
  ];
  return parts.filter((part) => part !== null).join("; ") || null;
}

/** Why the server interrupted a deployment; null for every other code. */
export function describeInterruption(code: ResultCode | null): string | null {
  if (code === "shutdown") return "hooklatch was stopped while it ran";
  if (code === "lease_lost") return "its host was not heard of while it ran";
  return code === "crash" ? "hooklatch was killed, or the machine stopped, while it ran" : null;
}
