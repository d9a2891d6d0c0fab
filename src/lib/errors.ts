/** What kind of fault it is; `http/faults` and the command line map it to an answer or an exit code. */
export type ErrorCode =
  /** The command line or the configuration is wrong. */
  | "configuration"
  /** It cannot be done now, and may be tried again: a full disk, say. */
  | "unavailable"
  /** It did not work: something outside is not as it has to be. */
  | "failed";

/** A fault of ours or of the machine's, with a message that is safe to show and says what to do. */
export class AppError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    /** What was underneath; goes to the log under `--debug`, never to a sender. */
    cause?: unknown,
  ) {
    super(message, { cause });
    this.name = "Fault";
  }
}

/** What the system, OpenSSL or the runtime calls an error, such as `ENOENT`; null where it has no such name. */
export function systemErrorCode(error: unknown): string | null {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : null;
}
