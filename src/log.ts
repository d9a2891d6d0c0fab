import pino from "pino";
import type { Log } from "./domain/log.ts";

/** Where log lines go, and how: lines of JSON, or coloured text for somebody at a terminal. */
export interface LogOptions {
  readonly write: (line: string) => void;
  readonly pretty: boolean;
  /** Also what is only of use to somebody who looks for a fault. */
  readonly debug: boolean;
}

/** Field names whose values are never printed, at the first three levels of a line. */
const NEVER_PRINTED = ["secret", "secrets", "token", "verify_token", "authorization", "cookie", "password"];

/**
 * Opens the log. Payload text in a field or message is safe for a terminal: JSON escapes control characters
 * and {@link escapeInvisible} the rest.
 */
export async function openLog({ write, pretty, debug }: LogOptions): Promise<Log> {
  const destination = { write: (line: string) => write(escapeInvisible(line)) };
  const log: Log = pino(
    {
      level: debug ? "debug" : "info",
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: NEVER_PRINTED.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
      serializers: { err: debug ? pino.stdSerializers.err : describeError },
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

/** An error in one line; its stack is for `--debug`. */
function describeError(error: unknown) {
  return error instanceof Error ? { name: error.name, message: error.message } : { message: String(error) };
}

/**
 * Escapes what a terminal or a reader's eye would take for something else: C1 controls, zero-width and
 * bidirectional characters (a branch name may hold U+202E) and the Unicode line separators.
 */
export function escapeInvisible(text: string): string {
  return text.replace(
    /[\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
