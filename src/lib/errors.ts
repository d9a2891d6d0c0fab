/** The kind of an {@link AppError}. The HTTP server maps it to a status, the command line to an exit code. */
export type ErrorCode =
  /** The command line or the configuration is wrong. */
  | "configuration"
  /** The operation is not possible now and may be retried, for example when the disk is full. */
  | "unavailable"
  /** The operation failed: something outside the program is not as required. */
  | "failed";

/** An error with a message that users may see and that says what to do. */
export class AppError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    /** The underlying error. Only a debug log shows it, never a response. */
    cause?: unknown,
  ) {
    super(message, { cause });
    this.name = "AppError";
  }
}

/** The name that the system, OpenSSL or the runtime has for an error, such as `ENOENT`; null when it has none. */
export function systemErrorCode(error: unknown): string | null {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : null;
}

/**
 * An error of an operation on a file in words, such as `no such file or directory`: without the code, the operation and
 * the name of the file, which may be that of a draft. Other errors have their own message.
 */
export function describeFileError(error: unknown): string {
  const message = errorMessage(error);
  const prefix = `${systemErrorCode(error)}: `;
  return message.startsWith(prefix)
    ? message.slice(prefix.length).replace(/, [a-z_]+(?: '.*)?$/s, "")
    : message;
}

/** The message of whatever was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
