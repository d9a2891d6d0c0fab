/** Units of a written duration in milliseconds, the largest first. */
const UNITS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;

/** The syntax of {@link parseDuration}: a whole number above zero and a unit. */
export const DURATION_PATTERN = "^[1-9]\\d{0,8}(ms|s|m|h|d)$";

/** Converts a duration as the configuration writes it, such as `90s` or `30d`, to milliseconds; null for other text. */
export function parseDuration(text: string): number | null {
  if (!new RegExp(DURATION_PATTERN).test(text)) return null;
  const unit = Object.entries(UNITS).find(([name]) => text.replace(/^\d+/, "") === name)?.[1];
  return unit === undefined ? null : Number.parseInt(text, 10) * unit;
}

/** Writes milliseconds as the configuration does, in the largest unit that divides them: `90s`, `30d`. */
export function formatDuration(milliseconds: number): string {
  const [name, unit] = Object.entries(UNITS).find(([, each]) => milliseconds % each === 0) ?? ["ms", 1];
  return `${milliseconds / unit}${name}`;
}

/** Writes how long something took, for people: `42 ms`, `3.2 s`, `4 min 5 s`. */
export function formatElapsed(milliseconds: number): string {
  if (milliseconds < UNITS.s) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < UNITS.m) return `${(milliseconds / UNITS.s).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / UNITS.s);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
