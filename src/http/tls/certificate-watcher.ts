import type { Clock } from "../../lib/clock.ts";
import { AppError, errorMessage } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import { type Certificate, type CertificateFiles, checkCertificate, readContents } from "./certificate.ts";

/** The services of a certificate watch. */
export interface CertificateWatchOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Applies a renewed certificate. When it rejects, the old one stays and each check tries again. */
  readonly onChange: (certificate: Certificate) => Promise<void>;
  /** Ends the watch. */
  readonly signal: AbortSignal;
}

/** A watch over the two files of a certificate. */
export interface CertificateWatch {
  /** Checks the files now, and logs a problem without waiting for a second check. Never rejects. */
  checkNow(): Promise<void>;
  /** Resolves when the watch has ended. */
  readonly ended: Promise<void>;
}

/** Why the files' contents cannot be used. */
interface Problem {
  readonly contents: string;
  readonly reason: string;
}

const CHECK_INTERVAL = 5_000;

/**
 * Checks both files every 5 s, through symbolic links, and applies a pair that changed, matches and is valid. Logs a
 * problem once for each change, after two checks in a row found the same, because the files may be half written. Also
 * logs when the certificate is about to expire (see {@link createExpiryReminder}).
 *
 * @param first the certificate in use, as read from the files.
 */
export function watchCertificate(
  files: CertificateFiles,
  first: Certificate,
  { clock, log, onChange, signal }: CertificateWatchOptions,
): CertificateWatch {
  const remind = createExpiryReminder(log);
  let served = first;
  let previous: string | null = null;
  let logged: string | null = null;
  let checks = Promise.resolve();

  async function check(isScheduled: boolean): Promise<void> {
    const problem = await applyChange();
    const found = problem && `${problem.reason}\n${problem.contents}`;
    const isStable = found === previous || !isScheduled;
    if (problem === null) {
      logged = null;
    } else if (found !== logged && isStable) {
      log.warn({ cert: files.cert, key: files.key }, `keeping the old certificate: ${problem.reason}`);
      logged = found;
    }
    previous = found;
    remind(served, clock.now());
  }

  async function applyChange(): Promise<Problem | null> {
    let contents = "";
    try {
      const { cert, key } = readContents(files);
      if (cert === served.cert && key === served.key) return null;
      contents = cert + key;
      const renewed = checkCertificate(files, { cert, key }, clock.now());
      await onChange(renewed);
      served = renewed;
    } catch (error) {
      return { contents, reason: describeProblem(error) };
    }
    const until = served.validTo.toISOString();
    log.info({ cert: files.cert, valid_to: until }, `certificate renewed, valid until ${until}`);
    return null;
  }

  /** Runs one check at a time, because each compares with the certificate that the previous one applied. */
  function enqueueCheck(isScheduled: boolean): Promise<void> {
    checks = checks.then(() => check(isScheduled));
    return checks;
  }

  async function watch(): Promise<void> {
    while (!signal.aborted) {
      await enqueueCheck(true);
      await clock.sleep(CHECK_INTERVAL, signal);
    }
  }

  return { checkNow: () => enqueueCheck(false), ended: watch() };
}

function describeProblem(error: unknown): string {
  if (error instanceof AppError) return error.message.replaceAll("\n", "; ");
  return `the new one cannot be used (${errorMessage(error)})`;
}

const DAY = 86_400_000;

/** ACME clients renew certificates of 90 days 30 days before they expire. */
const WARNING_DAYS = 14;

/**
 * Creates a function that logs a warning once a day while the certificate expires within 14 days, or within the last
 * third of its lifetime if that is shorter (some certificates are valid for a week), and an error once it has expired.
 */
export function createExpiryReminder(log: Log): (certificate: Certificate, now: Date) => void {
  let last: { readonly certificate: Certificate; readonly at: number } | null = null;
  return (certificate, now) => {
    const [time, end] = [now.getTime(), certificate.validTo.getTime()];
    if (end - time >= WARNING_DAYS * DAY) return;
    if (last?.certificate === certificate && time - last.at < DAY) return;
    if (end - time >= (end - certificate.validFrom.getTime()) / 3) return;
    last = { certificate, at: time };
    const fields = { valid_to: certificate.validTo.toISOString() };
    if (time > end) {
      log.error(fields, `the TLS certificate expired at ${fields.valid_to} and senders reject it: renew it`);
    } else {
      log.warn(fields, `the TLS certificate expires at ${fields.valid_to} and is not renewed yet: renew it`);
    }
  };
}
