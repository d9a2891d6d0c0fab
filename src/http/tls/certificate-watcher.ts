import type { Clock } from "../../lib/clock.ts";
import { AppError, errorMessage } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import { type Certificate, type CertificateFiles, checkCertificate, readContents } from "./certificate.ts";

/** What a certificate watch needs. */
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
  /** Checks the files now, and reports a problem without waiting for a second check. Never rejects. */
  look(): Promise<void>;
  /** Resolves when the watch has ended. */
  readonly ended: Promise<void>;
}

type CheckOutcome =
  | { readonly kind: "served" }
  /** The files hold `contents`, which cannot be used. */
  | { readonly kind: "rejected"; readonly contents: string; readonly reason: string };

const CHECK_INTERVAL = 5_000;

/**
 * Checks both files every 5 s, through symbolic links, and applies a pair that changed, belongs together and is valid.
 * It logs a problem once for each change, when two checks in a row found the same: the files may be half written. It
 * also logs when the served certificate is about to expire (see {@link createExpiryReminder}).
 *
 * @param first the certificate in use, as it was read from the files.
 */
export function watchCertificate(
  files: CertificateFiles,
  first: Certificate,
  { clock, log, onChange, signal }: CertificateWatchOptions,
): CertificateWatch {
  const remind = createExpiryReminder(log);
  let served = first;
  let previousProblem: string | null = null;
  let loggedProblem: string | null = null;
  let checks = Promise.resolve();

  async function check(isScheduled: boolean): Promise<void> {
    const outcome = await applyChange();
    const problem = outcome.kind === "rejected" ? `${outcome.reason}\n${outcome.contents}` : null;
    const isStable = problem === previousProblem || !isScheduled;
    if (outcome.kind === "rejected" && problem !== loggedProblem && isStable) {
      log.warn({ cert: files.cert, key: files.key }, `keeping the old certificate: ${outcome.reason}`);
      loggedProblem = problem;
    }
    previousProblem = problem;
    if (problem === null) loggedProblem = null;
    remind(served, clock.now());
  }

  async function applyChange(): Promise<CheckOutcome> {
    let contents = "";
    try {
      const { cert, key } = readContents(files);
      if (cert === served.cert && key === served.key) return { kind: "served" };
      contents = cert + key;
      const renewed = checkCertificate(files, { cert, key }, clock.now());
      await onChange(renewed);
      served = renewed;
    } catch (error) {
      return { kind: "rejected", contents, reason: describeProblem(error) };
    }
    const until = served.validTo.toISOString();
    log.info({ cert: files.cert, valid_to: until }, `certificate renewed, valid until ${until}`);
    return { kind: "served" };
  }

  /** One check at a time: each compares with what the one before applied. */
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

  return { look: () => enqueueCheck(false), ended: watch() };
}

function describeProblem(error: unknown): string {
  if (error instanceof AppError) return error.message.replaceAll("\n", "; ");
  return `the new one cannot be used (${errorMessage(error)})`;
}

const DAY = 86_400_000;

/** Days before expiry by which a certificate should have been renewed: ACME clients renew 90 days' ones 30 before. */
const WARNING_DAYS = 14;

/**
 * Logs a warning once a day while the certificate expires within 14 days, or within the last third of its lifetime when
 * that is shorter (there are certificates for a week), and an error once it has expired.
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
