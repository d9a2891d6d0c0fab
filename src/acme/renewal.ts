import { X509Certificate } from "node:crypto";
import type { CertificatePair } from "./certificate.ts";
import { type Acme, readDirectory } from "./client.ts";
import { fieldOf, textOf } from "./json.ts";

/** When the CA would like a certificate to be renewed. */
export interface RenewalWindow {
  readonly start: Date;
  readonly end: Date;
}

/**
 * Asks for the CA's renewal information (RFC 9773). Null when it has none to give, or gives something else. Rejects
 * when it cannot be asked.
 */
export async function readRenewalWindow(
  acme: Acme,
  directory: string,
  { cert }: CertificatePair,
): Promise<RenewalWindow | null> {
  const { renewalInfo } = await readDirectory(acme, directory);
  const id = identifyCertificate(cert);
  if (renewalInfo === null || id === null) return null;
  const { data } = await acme.axios.get<unknown>(`${renewalInfo.replace(/\/$/, "")}/${id}`);
  const suggested = fieldOf(data, "suggestedWindow");
  const start = new Date(textOf(fieldOf(suggested, "start")) ?? Number.NaN);
  const end = new Date(textOf(fieldOf(suggested, "end")) ?? Number.NaN);
  // A comparison with an invalid date is false.
  return start < end ? { start, end } : null;
}

/**
 * When a certificate is renewed: at its `place`, from 0 up to 1, in the CA's window, or with a third of its life left
 * where there is no window or it is too late.
 */
export function chooseRenewal(
  { validFrom, validTo }: CertificatePair,
  window: RenewalWindow | null,
  place: number,
): Date {
  if (window === null || window.end >= validTo) return between(validFrom, validTo, 2 / 3);
  return between(window.start, window.end, place);
}

function between(from: Date, to: Date, place: number): Date {
  return new Date(from.getTime() + (to.getTime() - from.getTime()) * place);
}

const FIRST_PAUSE = 60_000;
const LAST_PAUSE = 12 * 3_600_000;
/** No CA's rate limit counts longer. */
const LONGEST_PAUSE = 7 * 86_400_000;

/**
 * How long to wait after so many failures in a row, in milliseconds: a minute, doubled each time up to 12 hours, less
 * up to a quarter of it by `chance` (from 0 up to 1), but no less than until the CA takes an order again.
 */
export function pauseAfter(failures: number, retryAt: Date | null, now: Date, chance: number): number {
  const pause = Math.min(FIRST_PAUSE * 2 ** (failures - 1), LAST_PAUSE) * (1 - chance / 4);
  const limited = Math.min((retryAt?.getTime() ?? 0) - now.getTime(), LONGEST_PAUSE);
  return Math.max(pause, limited);
}

/**
 * What renewal information calls a certificate (RFC 9773, section 4.1): the issuer's key identifier and the serial
 * number, each in base64url. Null for a certificate without a key identifier of its issuer.
 */
export function identifyCertificate(cert: string): string | null {
  const { raw, serialNumber } = new X509Certificate(cert);
  const authority = findAuthorityKey(raw);
  if (authority === null) return null;
  const digits = serialNumber.length % 2 === 0 ? serialNumber : `0${serialNumber}`;
  // A DER integer with its first bit set would be negative.
  const serial = Buffer.from(/^[89a-f]/i.test(digits) ? `00${digits}` : digits, "hex");
  return `${authority.toString("base64url")}.${serial.toString("base64url")}`;
}

/** The extension's object identifier, 2.5.29.35, in DER. */
const AUTHORITY_KEY = Buffer.from("0603551d23", "hex");

/** Reads `OCTET STRING { SEQUENCE { [0] identifier … } }` after the object identifier (RFC 5280, section 4.2.1.1). */
function findAuthorityKey(der: Buffer): Buffer | null {
  const at = der.indexOf(AUTHORITY_KEY);
  if (at === -1) return null;
  const value = der.subarray(at + AUTHORITY_KEY.length);
  // All lengths are below 128 in it, one byte each.
  const [string, , sequence, , identifier, length = 0] = value;
  if (string !== 0x04 || sequence !== 0x30 || identifier !== 0x80) return null;
  return value.subarray(6, 6 + length);
}
