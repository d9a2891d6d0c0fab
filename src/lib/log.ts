import type { Clock } from "./clock.ts";
import { escapeInvisible } from "./text.ts";

/** The log: fields for machines and one sentence for people. Never pass it a secret. */
export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

export type LogFields = Readonly<Record<string, unknown>>;

/** The formats of the log. `journald` is text without a time, with the priority that the journal reads (sd-daemon(3)). */
export const LOG_FORMATS = ["json", "text", "journald"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** Where log lines go, and in which format. */
export interface LogOptions {
  readonly write: (line: string) => void;
  readonly format: LogFormat;
  /** Whether text has colours. */
  readonly colours: boolean;
  /** Whether debug lines, stacks and causes of errors are logged too. */
  readonly debug: boolean;
}

/** Top-level fields that are never logged. Deeper down a secret is a `Secret`, which prints only its origin. */
const REDACTED_FIELDS = new Set([
  "secret",
  "secrets",
  "token",
  "verify_token",
  "authorization",
  "cookie",
  "password",
]);

/** Syslog priorities (RFC 5424, table 2). */
const PRIORITIES = { error: 3, warn: 4, info: 6, debug: 7 } as const;

type Level = keyof typeof PRIORITIES;

/**
 * Creates the log. Untrusted text in a field or message is safe for a terminal: JSON escapes control characters and
 * {@link escapeInvisible} escapes the rest.
 */
export async function createLog({ write, format, colours, debug }: LogOptions): Promise<Log> {
  const print = format === "json" ? null : await loadPrinter(format, colours);
  const logAt = (level: Level) => (fields: LogFields, message: string) => {
    const json = toJson(level, fields, message, debug);
    write(escapeInvisible(print === null ? `${json}\n` : print(json, level)));
  };
  return {
    debug: debug ? logAt("debug") : () => {},
    info: logAt("info"),
    warn: logAt("warn"),
    error: logAt("error"),
  };
}

/** A line of the log as JSON. Fields that JSON cannot hold are left out, with the reason in `err`. */
function toJson(level: Level, fields: LogFields, message: string, debug: boolean): string {
  const line: Record<string, unknown> = { level, time: new Date().toISOString() };
  for (const name in fields) {
    if (name === "err") line.err = describeError(fields.err, debug);
    else line[name] = REDACTED_FIELDS.has(name) ? "[Redacted]" : fields[name];
  }
  line.msg = message;
  try {
    return JSON.stringify(line);
  } catch (error) {
    const { time } = line;
    return JSON.stringify({ level, time, err: describeError(error, debug), msg: message });
  }
}

/** An error is printed like any other field: the printer would give it lines of its own. */
const ONE_LINE = { singleLine: true, errorLikeObjectKeys: [] };

/** Loads the pretty printer only for text, so that a service with JSON lines starts without it. */
async function loadPrinter(
  format: "text" | "journald",
  colours: boolean,
): Promise<(json: string, level: Level) => string> {
  const { prettyFactory } = await import("pino-pretty");
  const pretty = prettyFactory(
    format === "journald"
      ? { colorize: false, ignore: "time,level", ...ONE_LINE }
      : { colorize: colours, translateTime: "SYS:HH:MM:ss", ...ONE_LINE },
  );
  return (json, level) => {
    const printed = pretty(JSON.parse(json)) ?? json;
    // It keeps the line feeds of a message.
    const text = `${printed.trimEnd().replaceAll("\n", "\\n")}\n`;
    return format === "journald" ? `<${PRIORITIES[level]}>${text}` : text;
  };
}

/**
 * An error's name and message, with stack and cause in debug mode. Other properties are left out: a runtime puts its
 * arguments there, such as a URL with a token in it.
 */
function describeError(error: unknown, debug: boolean): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) };
  const { name, message, stack, cause } = error;
  if (!debug) return { name, message };
  return { name, message, stack, ...(cause === undefined ? {} : { cause: describeError(cause, debug) }) };
}

/** Logs messages that unauthenticated clients can trigger at any rate, such as refusals. */
export type ThrottledLog = (fields: LogFields, message: string) => void;

/** Enough to see who causes the messages, too few to fill a disk. */
const LINES_PER_SECOND = 10;

/**
 * Creates a {@link ThrottledLog} that writes at most ten lines a second. The first line after a gap carries the number
 * of dropped ones in `lines_left_out`.
 */
export function createThrottledLog(log: Log, clock: Clock, level: "warn" | "error" = "warn"): ThrottledLog {
  let second = 0;
  let lines = 0;
  let dropped = 0;
  return (fields, message) => {
    const now = Math.floor(clock.now().getTime() / 1000);
    if (now !== second) [second, lines] = [now, 0];
    if (++lines > LINES_PER_SECOND) {
      dropped++;
      return;
    }
    log[level](dropped === 0 ? fields : { ...fields, lines_left_out: dropped }, message);
    dropped = 0;
  };
}
