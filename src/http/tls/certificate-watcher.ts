import { X509Certificate } from "node:crypto";
import type { Clock } from "../../lib/clock.ts";
import { AppError } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import { type Certificate, type CertificateFiles, checkCertificate, readContents } from "./certificate.ts";

/** What watching a certificate needs. */
export interface CertificateWatchTools {
  readonly clock: Clock;
  readonly log: Log;
  /** Takes a renewed certificate up. When it rejects the one before goes on, and it is tried again at each look. */
  readonly onChange: (certificate: Certificate) => Promise<void>;
  /** Ends the watch. */
  readonly signal: AbortSignal;
}

/** A watch over the two files of a certificate. */
export interface CertificateWatch {
  /** Looks now, without patience for a pair that is being written. Never rejects. */
  look(): Promise<void>;
  /** Resolves when the signal has ended the watch. */
  readonly ended: Promise<void>;
}

/** What a look finds. */
type Finding =
  /** What is served, or what is served from now on. */
  | { readonly kind: "served" }
  /** The files are `contents` and cannot be taken up. */
  | { readonly kind: "wrong"; readonly contents: string; readonly reason: string };

const LOOK_EVERY = 5_000;

/**
 * Looks at both files every 5 s, through symbolic links, and hands on a pair that changed, fits and is valid. What is
 * wrong with another is told in the log once for each change, and not before two looks found it the same: it may be
 * half written. Reminds of the end of the certificate that is served, too (see {@link createExpiryReminder}).
 *
 * @param first what is served, as it was read from the files.
 */
export function watchCertificate(
  files: CertificateFiles,
  first: Certificate,
  { clock, log, onChange, signal }: CertificateWatchTools,
): CertificateWatch {
  const remind = createExpiryReminder(log);
  let served = first;
  let seen: string | null = null;
  let told: string | null = null;
  let looks = Promise.resolve();

  async function look(isPatient: boolean): Promise<void> {
    const found = await takeUp();
    const wrong = found.kind === "wrong" ? `${found.reason}\n${found.contents}` : null;
    if (found.kind === "wrong" && wrong !== told && (wrong === seen || !isPatient)) {
      log.warn({ cert: files.cert, key: files.key }, `the old certificate stays: ${found.reason}`);
      told = wrong;
    }
    seen = wrong;
    if (wrong === null) told = null;
    remind(served, clock.now());
  }

  async function takeUp(): Promise<Finding> {
    let contents = "";
    try {
      const { cert, key } = readContents(files);
      if (cert === served.cert && key === served.key) return { kind: "served" };
      contents = cert + key;
      const renewed = checkCertificate(files, { cert, key }, clock.now());
      await onChange(renewed);
      served = renewed;
    } catch (error) {
      return { kind: "wrong", contents, reason: explain(error) };
    }
    const until = served.validTo.toISOString();
    log.info({ cert: files.cert, valid_to: until }, `took up the renewed certificate, valid until ${until}`);
    return { kind: "served" };
  }

  /** One after the other: what a look finds depends on what the one before took up. */
  function lookInTurn(isPatient: boolean): Promise<void> {
    looks = looks.then(() => look(isPatient));
    return looks;
  }

  async function watch(): Promise<void> {
    while (!signal.aborted) {
      await lookInTurn(true);
      await clock.sleep(LOOK_EVERY, signal);
    }
  }

  return { look: () => lookInTurn(false), ended: watch() };
}

function explain(error: unknown): string {
  if (error instanceof AppError) return error.message.replaceAll("\n", "; ");
  return `it cannot be taken up (${error instanceof Error ? error.message : error})`;
}

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
