import { X509Certificate } from "node:crypto";
import type { CertificatePair } from "./certificate.ts";
import { type AcmeConnection, readDirectory, readJson } from "./client.ts";
import { readField, readText } from "./errors.ts";

/** When the CA suggests renewing a certificate. */
export interface RenewalWindow {
  readonly start: Date;
  readonly end: Date;
}

/** Reads the CA's renewal information (RFC 9773); null when it has none for the certificate. */
export async function readRenewalWindow(
  connection: AcmeConnection,
  { cert }: CertificatePair,
): Promise<RenewalWindow | null> {
  const { renewalInfo } = await readDirectory(connection);
  const id = identifyCertificate(cert);
  if (renewalInfo === null || id === null) return null;
  const json = await readJson(`${renewalInfo.replace(/\/$/, "")}/${id}`, connection);
  const suggested = readField(json, "suggestedWindow");
  const [start, end] = [dateIn(suggested, "start"), dateIn(suggested, "end")];
  // False for invalid dates.
  return start < end ? { start, end } : null;
}

/** An invalid date when there is none. */
function dateIn(value: unknown, name: string): Date {
  return new Date(readText(value, name) ?? Number.NaN);
}

/**
 * When to renew a certificate: at `position`, from 0 up to 1, in the CA's window; without a window, or when it ends too
 * late, with a third of the lifetime left.
 */
export function chooseRenewal(
  { validFrom, validTo }: CertificatePair,
  window: RenewalWindow | null,
  position: number,
): Date {
  if (window === null || window.end >= validTo) return between(validFrom, validTo, 2 / 3);
  return between(window.start, window.end, position);
}

function between(from: Date, to: Date, position: number): Date {
  return new Date(from.getTime() + (to.getTime() - from.getTime()) * position);
}

/** Milliseconds. */
const FIRST_PAUSE = 60_000;
const LAST_PAUSE = 12 * 3_600_000;
/** No CA counts a rate limit over a longer time. */
const MAX_RATE_LIMIT = 7 * 86_400_000;

/**
 * Milliseconds to wait after a number of failures in a row: one minute, doubled each time up to 12 hours, shortened by up
 * to a quarter by `jitter` (from 0 up to 1), but not before the CA accepts orders again.
 */
export function pauseAfter(failures: number, retryAt: Date | null, now: Date, jitter: number): number {
  const pause = Math.min(FIRST_PAUSE * 2 ** (failures - 1), LAST_PAUSE) * (1 - jitter / 4);
  const rateLimit = Math.min((retryAt?.getTime() ?? 0) - now.getTime(), MAX_RATE_LIMIT);
  return Math.max(pause, rateLimit);
}

/**
 * The id of a certificate in renewal information (RFC 9773, section 4.1): its issuer's key identifier and its serial
 * number, each in base64url. Null for a certificate without the key identifier.
 */
export function identifyCertificate(cert: string): string | null {
  const { raw, serialNumber } = new X509Certificate(cert);
  const authority = findAuthorityKeyIdentifier(raw);
  if (authority === null) return null;
  const digits = serialNumber.length % 2 === 0 ? serialNumber : `0${serialNumber}`;
  // A DER integer whose first bit is set would be negative.
  const serial = Buffer.from(/^[89a-f]/i.test(digits) ? `00${digits}` : digits, "hex");
  return `${authority.toString("base64url")}.${serial.toString("base64url")}`;
}

/** The object identifier 2.5.29.35 in DER. */
const AUTHORITY_KEY_IDENTIFIER = Buffer.from("0603551d23", "hex");

/** Reads `OCTET STRING { SEQUENCE { [0] identifier … } }` after the object identifier (RFC 5280, section 4.2.1.1). */
function findAuthorityKeyIdentifier(der: Buffer): Buffer | null {
  const at = der.indexOf(AUTHORITY_KEY_IDENTIFIER);
  if (at === -1) return null;
  const value = der.subarray(at + AUTHORITY_KEY_IDENTIFIER.length);
  // Every length in it is below 128, so it takes one byte.
  const [string, , sequence, , identifier, length = 0] = value;
  if (string !== 0x04 || sequence !== 0x30 || identifier !== 0x80) return null;
  return value.subarray(6, 6 + length);
}
