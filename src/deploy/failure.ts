import type { FailureCode } from "../domain/codes.ts";
import { AppError, systemErrorCode } from "../lib/errors.ts";
import { toOneLine } from "../lib/text.ts";

/** Ends a deployment as `failed`. The message becomes the deployment's reason. */
export class DeploymentError extends AppError {
  constructor(
    readonly result: FailureCode,
    message: string,
    cause?: unknown,
  ) {
    super("failed", message, cause);
  }
}

/** Why something failed: a code, and one line for people. */
export interface Failure {
  readonly code: FailureCode;
  readonly reason: string;
}

/** System errors (errno(3)) with a known cause. A deployment writes only to the target's directory. */
const SYSTEM_ERRORS: Readonly<Record<string, FailureCode>> = {
  ENOSPC: "disk_full",
  EDQUOT: "disk_full",
  EACCES: "directory_unusable",
  EPERM: "directory_unusable",
  EROFS: "directory_unusable",
  ENOTDIR: "directory_unusable",
};

/**
 * Describes the error that ended a deployment or a part of it. A read-only file system is seldom one: the service manager
 * shows it so (systemd.exec(5), ProtectSystem=), and `directory` names what the service has to be allowed to write to.
 */
export function describeFailure(error: unknown, directory: string | null = null): Failure {
  const failure = describeError(error);
  if (directory === null || !/read-only file system/i.test(failure.reason)) return failure;
  const advice = `if the service's unit has ProtectSystem=, add ReadWritePaths=${directory} to it`;
  return { ...failure, reason: `${failure.reason}; ${advice}` };
}

function describeError(error: unknown): Failure {
  if (!(error instanceof Error)) return { code: "internal_error", reason: "internal error" };
  const message = toOneLine(error.message);
  if (error instanceof DeploymentError) return { code: error.result, reason: message };
  if (error instanceof AppError) {
    return {
      code: error.code === "configuration" ? "configuration_invalid" : "system_error",
      reason: message,
    };
  }
  const system = systemErrorCode(error);
  return system === null
    ? { code: "internal_error", reason: `internal error: ${message}` }
    : { code: SYSTEM_ERRORS[system] ?? "system_error", reason: message };
}
