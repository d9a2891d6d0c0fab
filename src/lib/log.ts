import pino from "pino";
import { escapeInvisible } from "./text.ts";

/** What the rooms may say to the log: fields for machines, one sentence for people. Never a secret. */
export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

export type LogFields = Readonly<Record<string, unknown>>;

/** Where log lines go, and how: lines of JSON, or coloured text for somebody at a terminal. */
export interface LogOptions {
  readonly write: (line: string) => void;
  readonly pretty: boolean;
  /** Also what is only of use to somebody who looks for a fault. */
  readonly debug: boolean;
}

/** Fields that are never printed. Further down a secret is a {@link Secret}, which prints only where it is from. */
const NEVER_PRINTED = ["secret", "secrets", "token", "verify_token", "authorization", "cookie", "password"];

/**
 * Opens the log. Payload text in a field or message is safe for a terminal: JSON escapes control characters
 * and {@link escapeInvisible} the rest.
 */
export async function createLog({ write, pretty, debug }: LogOptions): Promise<Log> {
  const destination = { write: (line: string) => write(escapeInvisible(line)) };
  const log: Log = pino(
    {
      level: debug ? "debug" : "info",
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: NEVER_PRINTED,
      serializers: { err: (error: unknown) => describeError(error, debug) },
    },
    pretty ? await prettify(destination) : destination,
  );
  return log;
}

/** The pretty printer is loaded only for a terminal: a service starts without it. */
async function prettify(destination: { write(line: string): void }) {
  const { prettyFactory } = await import("pino-pretty");
  const format = prettyFactory({ colorize: true, translateTime: "SYS:HH:MM:ss", singleLine: true });
  return { write: (line: string) => destination.write(format(JSON.parse(line)) ?? line) };
}

/**
 * An error in one line; its stack and its cause are for `--debug`. Never its other properties: a runtime puts
 * there what it was given, a URL with a token in it for one.
 */
function describeError(error: unknown, debug: boolean): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) };
  const { name, message, stack, cause } = error;
  if (!debug) return { name, message };
  return { name, message, stack, ...(cause === undefined ? {} : { cause: describeError(cause, debug) }) };
}
