import type { Terminal } from "../terminal.ts";

/** How answers are shown: to a person at a terminal, or plainly to whatever reads standard output. */
export interface Style {
  readonly isTty: boolean;
  readonly colours: boolean;
  /** How many columns a line may take; null where nothing is ever cut. */
  readonly width: number | null;
  readonly now: Date;
}

/** How the terminal wants it. Colours follow https://no-color.org. */
export function createStyle({ isTty, env, columns, clock }: Terminal): Style {
  const colours = isTty.stdout && !env.NO_COLOR && env.TERM !== "dumb";
  return {
    isTty: isTty.stdout,
    colours,
    width: isTty.stdout ? (columns ?? 80) : null,
    now: clock.now(),
  };
}

export type Colour = "green" | "red" | "yellow" | "dim";

const CODES: Readonly<Record<Colour, number>> = { green: 32, red: 31, yellow: 33, dim: 2 };

/** The text in a colour, where the look has any. */
export function paint(text: string, colour: Colour | null, { colours }: Style): string {
  return colour === null || !colours || text === "" ? text : `\x1b[${CODES[colour]}m${text}\x1b[0m`;
}

/** The colour of a deployment's state or a delivery's status; null for what is nothing special. */
export function colourOf(word: string): Colour | null {
  return COLOURS[word] ?? null;
}

const COLOURS: Readonly<Record<string, Colour>> = {
  succeeded: "green",
  ok: "green",
  failed: "red",
  queued: "yellow",
  running: "yellow",
  cancelled: "yellow",
  interrupted: "yellow",
  skipped: "yellow",
  superseded: "dim",
};

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A time as the API tells it (RFC 3339): plainly as it is; on a terminal how long ago, or the local day and time. */
export function showTime(time: string, { isTty, now }: Style): string {
  const at = new Date(time);
  if (!isTty || Number.isNaN(at.getTime())) return time;
  const ago = now.getTime() - at.getTime();
  const distance = Math.abs(ago);
  if (distance >= DAY) return showLocally(at);
  const span =
    distance < MINUTE
      ? `${Math.floor(distance / 1000)} s`
      : distance < HOUR
        ? `${Math.floor(distance / MINUTE)} min`
        : `${Math.floor(distance / HOUR)} h`;
  return ago >= 0 ? `${span} ago` : `in ${span}`;
}

/** A time to come at which something ends, by the calendar: `until in 2 h` would not be said. */
export function showMoment(time: string, { isTty }: Style): string {
  const at = new Date(time);
  return isTty && !Number.isNaN(at.getTime()) ? showLocally(at) : time;
}

function showLocally(at: Date): string {
  const two = (number: number) => String(number).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}`;
}
