import { formatElapsed } from "../../lib/duration.ts";
import { escapeInvisible } from "../../lib/text.ts";

/** Untrusted text for the page: characters that would reorder or hide it are escaped. The page escapes markup itself. */
export function printable(text: string): string {
  return escapeInvisible(text).replace(/\p{Cc}/gu, (character) =>
    character === "\n" || character === "\t" ? character : JSON.stringify(character).slice(1, -1),
  );
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How long ago a time is, or how far ahead: `just now`, `5 min ago`, `in 3 h`, `12 d ago`. */
export function formatRelative(time: number, now: number): string {
  const distance = Math.abs(now - time);
  if (distance < 45_000) return time > now + 5_000 ? "in a moment" : "just now";
  const [amount, unit] =
    distance < 59.5 * MINUTE
      ? [distance / MINUTE, "min"]
      : distance < 47.5 * HOUR
        ? [distance / HOUR, "h"]
        : [distance / DAY, "d"];
  const text = `${Math.max(1, Math.round(amount))} ${unit}`;
  return time > now ? `in ${text}` : `${text} ago`;
}

/** The exact time, in the browser's time zone and language. */
export function formatExact(time: number): string {
  return new Date(time).toLocaleString(undefined, { dateStyle: "full", timeStyle: "long" });
}

/** How long a deployment took, or has taken until now: `3.2 s`, `4 min 5 s`. Null while it has not started. */
export function formatTook(
  { started_at, ended_at }: { readonly started_at: string | null; readonly ended_at: string | null },
  now: number,
): string | null {
  if (started_at === null) return null;
  const milliseconds = (ended_at === null ? now : Date.parse(ended_at)) - Date.parse(started_at);
  if (ended_at !== null) return formatElapsed(Math.max(0, milliseconds));
  // Tenths of a running deployment would flicker.
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** The first digits of a commit, as forges show them. */
export function shortCommit(commit: string): string {
  return printable(commit).slice(0, 8);
}

/** A word of the API as the start of a label. */
export function capitalise(word: string): string {
  const text = printable(word)
    .replaceAll("_", " ")
    .replaceAll(/\bci\b/g, "CI");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
