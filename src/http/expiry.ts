import { X509Certificate } from "node:crypto";
import type { Log } from "../domain/log.ts";
import type { Certificate } from "./certificate.ts";

const DAY = 86_400_000;

/** Days before the end in which a certificate should have been renewed: it is done at a third of 90. */
const SOON = 14;

/**
 * Tells in the log, once a day, that the certificate ends within 14 days (or within the last third of its life, where
 * that is less: there are certificates for a week), and as an error that it has ended.
 */
export function createExpiryReminder(log: Log): (certificate: Certificate, now: Date) => void {
  let last: { readonly certificate: Certificate; readonly at: number } | null = null;
  return (certificate, now) => {
    const [time, end] = [now.getTime(), certificate.validTo.getTime()];
    if (end - time >= SOON * DAY) return;
    if (last?.certificate === certificate && time - last.at < DAY) return;
    if (end - time >= lifeOf(certificate) / 3) return;
    last = { certificate, at: time };
    const fields = { valid_to: certificate.validTo.toISOString() };
    if (time > end) {
      log.error(fields, `the TLS certificate expired at ${fields.valid_to}: senders refuse it; renew it`);
    } else {
      log.warn(fields, `the TLS certificate expires at ${fields.valid_to} and was not renewed yet; renew it`);
    }
  };
}

function lifeOf({ cert, validTo }: Certificate): number {
  return validTo.getTime() - new Date(new X509Certificate(cert).validFrom).getTime();
}
