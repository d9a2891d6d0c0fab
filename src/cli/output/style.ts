import { styleText } from "node:util";
import type { Terminal } from "../terminal.ts";

/** How output is formatted: for a person at a terminal, or plainly for other programs. */
export interface Style {
  readonly isTty: boolean;
  readonly colours: boolean;
  /** Columns of the longest line; null for no limit. */
  readonly width: number | null;
  readonly now: Date;
}

/** The style for standard output or standard error. Colours follow https://no-color.org. */
export function createStyle(
  { isTty, env, columns, clock }: Terminal,
  stream: keyof Terminal["isTty"] = "stdout",
): Style {
  return {
    isTty: isTty[stream],
    colours: isTty[stream] && !env.NO_COLOR && env.TERM !== "dumb",
    width: isTty[stream] ? (columns ?? 80) : null,
    now: clock.now(),
  };
}

export type Colour = "green" | "red" | "yellow" | "dim";

/** Colours a text if the style has colours. */
export function paint(text: string, colour: Colour | null, { colours }: Style): string {
  return colour === null || !colours || text === ""
    ? text
    : styleText(colour, text, { validateStream: false });
}

const COLOURS: Readonly<Record<string, Colour>> = {
  succeeded: "green",
  ok: "green",
  failed: "red",
  held: "yellow",
  queued: "yellow",
  running: "yellow",
  cancelled: "yellow",
  interrupted: "yellow",
  skipped: "yellow",
  superseded: "dim",
};

/** The colour of a deployment's state or a delivery's status; null for none. */
export function colourOf(word: string): Colour | null {
  return COLOURS[word] ?? null;
}

const AGES = new Intl.RelativeTimeFormat("en", { style: "narrow" });
const UNITS = [
  { unit: "second", size: 1_000, limit: 60_000 },
  { unit: "minute", size: 60_000, limit: 3_600_000 },
  { unit: "hour", size: 3_600_000, limit: 86_400_000 },
] as const;

/**
 * Formats a time of the API (RFC 3339). On a terminal it becomes an age such as `30m ago`, or a local date if it is a day
 * or more away; elsewhere it stays as it is.
 */
export function formatTime(time: string, style: Style): string {
  const distance = Date.parse(time) - style.now.getTime();
  const found = UNITS.find(({ limit }) => Math.abs(distance) < limit);
  if (!style.isTty || found === undefined) return formatDate(time, style);
  return AGES.format(Math.trunc(distance / found.size), found.unit);
}

/** Formats a time of the API. On a terminal it becomes a local date and time, such as `2026-11-21 20:30`. */
export function formatDate(time: string, { isTty }: Style): string {
  if (!isTty || Number.isNaN(Date.parse(time))) return time;
  return new Date(time).toLocaleString("sv-SE", { dateStyle: "short", timeStyle: "short" });
}
