import { AppError } from "../lib/errors.ts";
import type { FailureCode } from "./codes.ts";

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
