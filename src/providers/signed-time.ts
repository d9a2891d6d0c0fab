import type { RefusalCode } from "../domain/codes.ts";

/** How far a signed time may be from the server's, in milliseconds: what the libraries of most senders accept. */
export const TOLERANCE = 5 * 60_000;

/**
 * Checks a signed time in whole Unix seconds; null when it is within the tolerance, before or after now. The signature
 * covers the text, so that only one form is accepted.
 */
export function checkSignedTime(text: string, now: Date, tolerance = TOLERANCE): RefusalCode | null {
  if (!/^[1-9]\d{0,11}$/.test(text)) return "timestamp_invalid";
  const age = now.getTime() - Number(text) * 1000;
  if (age > tolerance) return "timestamp_too_old";
  return age < -tolerance ? "timestamp_too_new" : null;
}

/** The time in whole Unix seconds. */
export function writeSignedTime(now: Date): string {
  return String(Math.floor(now.getTime() / 1000));
}
