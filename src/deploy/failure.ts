import type { FailureCode } from "../domain/codes.ts";
import { DeploymentError } from "../domain/deployment-error.ts";
import { AppError, systemErrorCode } from "../lib/errors.ts";
import { toOneLine } from "../lib/text.ts";

/** Why something failed: a code, and one line for people. */
export interface Failure {
  readonly code: FailureCode;
  readonly reason: string;
}

/** System errors (errno(3)) whose cause is known. A deployment writes only to the target's directory. */
const SYSTEM_ERRORS: Readonly<Record<string, FailureCode>> = {
  ENOSPC: "disk_full",
  EDQUOT: "disk_full",
  EACCES: "directory_unusable",
  EPERM: "directory_unusable",
  EROFS: "directory_unusable",
  ENOTDIR: "directory_unusable",
};

/** Describes an error that ended a deployment, or one of its parts. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof DeploymentError) return { code: error.result, reason: toOneLine(error.message) };
  if (error instanceof AppError) {
    const code = error.code === "configuration" ? "configuration_invalid" : "system_error";
    return { code, reason: toOneLine(error.message) };
  }
  if (!(error instanceof Error)) return { code: "internal_error", reason: "internal error" };
  const system = systemErrorCode(error);
  if (system === null) {
    return { code: "internal_error", reason: `internal error: ${toOneLine(error.message)}` };
  }
  return { code: SYSTEM_ERRORS[system] ?? "system_error", reason: toOneLine(error.message) };
}
