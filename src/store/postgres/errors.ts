import { AppError, errorMessage, systemErrorCode } from "../../lib/errors.ts";

/** Classes of SQLSTATE, and single states, of errors that may pass (https://www.postgresql.org/docs/current/errcodes-appendix.html). */
const UNAVAILABLE: readonly (readonly [state: string, reason: string])[] = [
  ["53100", "its disk is full"],
  ["53300", "it has too many connections"],
  ["53", "it lacks resources"],
  ["55P03", "another process holds a lock for too long"],
  ["57014", "a statement took too long"],
  ["25P03", "a transaction was idle for too long"],
  ["25006", "it is read-only, as a standby is"],
  ["28", "it refuses the user or the password"],
  ["3D000", "it was removed or renamed"],
  ["40", "it rolled the transaction back"],
  ["57P", "it is being stopped or started"],
  ["58", "its system reports an error"],
  ["08", "the connection failed"],
];

/** Codes of the system and of TLS for a server that cannot be reached. */
const UNREACHABLE = /^(?:E[A-Z0-9]+|ERR_TLS_\w+|ERR_SSL_\w+|\w*CERT\w*)$/;

/** Messages of the driver for a connection that ended; it gives them no code. */
const ENDED =
  /^(?:Connection terminated|Client has encountered a connection error|timeout exce|Query read timeout|Cannot use a pool after|The server does not support SSL)/;

/** The SQLSTATE of an error of the server; null for another error. */
export function sqlState(error: unknown): string | null {
  const code = systemErrorCode(error);
  return code !== null && /^[0-9A-Z]{5}$/.test(code) && "severity" in (error as object) ? code : null;
}

/** Converts an error of an open store to an {@link AppError} `unavailable`. Returns any other error unchanged. */
export function toAppError(error: unknown): unknown {
  const reason = findReason(error);
  if (reason === null || error instanceof AppError) return error;
  return new AppError("unavailable", `the database is not available: ${reason}`, error);
}

/** Converts an error at opening to an {@link AppError} `failed`, which says what to do. Returns any other error unchanged. */
export function describeOpenError(error: unknown): unknown {
  if (error instanceof AppError) return error;
  const state = sqlState(error);
  const message = errorMessage(error);
  if (state === null && findReason(error) === null) return error;
  return new AppError(
    "failed",
    `cannot open the database of [store] url: ${message}${adviseOn(state, systemErrorCode(error))}`,
    error,
  );
}

function adviseOn(state: string | null, code: string | null): string {
  if (state === null && code !== null && /^E[A-Z]+$/.test(code)) {
    return "; check the host and the port in the URL, and that PostgreSQL listens there";
  }
  if (state === "3D000") return "; create it, see docs/fleet.md";
  if (state === "28P01" || state === "28000") return "; check the user, the password and pg_hba.conf";
  if (state === "42501") return "; the user must own the schema hooklatch, see docs/fleet.md";
  return "";
}

function findReason(error: unknown): string | null {
  const state = sqlState(error);
  if (state !== null) return UNAVAILABLE.find(([prefix]) => state.startsWith(prefix))?.[1] ?? null;
  const code = systemErrorCode(error);
  const message = errorMessage(error);
  if ((code !== null && UNREACHABLE.test(code)) || ENDED.test(message)) return message;
  return null;
}
