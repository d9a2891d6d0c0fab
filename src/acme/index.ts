import type { Client } from "acme-client";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { CertificatePair } from "./certificate.ts";
import {
  type Acme,
  isUnknownAccount,
  openAccount,
  readDirectory,
  registerAccount,
  withAcmeClient,
} from "./client.ts";
import { describeAcmeError } from "./errors.ts";
import { orderCertificate } from "./order.ts";
import { type RenewalWindow, readRenewalWindow } from "./renewal.ts";
import { runRenewalLoop } from "./renewal-loop.ts";
import { createAcmeStorage } from "./storage.ts";

export type { CertificatePair } from "./certificate.ts";

/** Who gives certificates, and for what (RFC 8555). Whoever sets this has agreed to the CA's terms. */
export interface AcmeSettings {
  /** DNS names in lower case; one certificate is for all of them. */
  readonly domains: readonly string[];
  /** Where the CA may write to. */
  readonly email: string | null;
  /** The URL of the CA's directory. */
  readonly directory: string;
  /** PEM text that the directory's own certificate is verified with, for private CAs; null for the public roots. */
  readonly ca: string | null;
}

/** What is answered on port 80 at `/.well-known/acme-challenge/<token>` (RFC 8555, section 8.3). */
export interface Challenges {
  /** The key authorisation of a token that is being proved now; null for any other. */
  answer(token: string): string | null;
}

/** Gets certificates from a CA, keeps them on disk and keeps them fresh. */
export interface CertificateManager {
  readonly challenges: Challenges;
  /** The pair kept from before, when it is of this directory, for these domains and not expired. Never throws. */
  readKept(): CertificatePair | null;
  /**
   * Orders a new pair and keeps it. The challenges have to be served meanwhile. Rejects with a {@link Fault} `failed`
   * of one line that says what to do. A pair that cannot be written down is given all the same, with a log line.
   */
  obtain(signal: AbortSignal): Promise<CertificatePair>;
  /**
   * Until the signal, orders a pair whenever none is at hand or the one at hand is due, and hands each new one to
   * `onPair`. Due is when the CA's renewal information says (RFC 9773), or with a third of its life left; a new
   * pair that is due at once is kept for an hour. Failures are logged and tried again, after one minute at first and
   * 12 hours at most, or when a rate limit ends. Rejects only with what `onPair` throws. To be called once.
   */
  keepFresh(onPair: (pair: CertificatePair) => void, signal: AbortSignal): Promise<void>;
}

/** What the agent is handed. */
export interface AgentTools {
  readonly clock: Clock;
  readonly log: Log;
  /** From 0 up to 1, for the jitter; the runtime's own by default. */
  readonly random?: () => number;
  /** Milliseconds that one answer of the CA may take; 30 s by default. */
  readonly patience?: number;
}

/**
 * Makes the agent of one certificate, which keeps account and pairs in `directory` (mode 0700). Nothing is read,
 * loaded or asked before its functions are called.
 */
export function createCertificateManager(
  settings: AcmeSettings,
  directory: string,
  { clock, log, random = Math.random, patience = 30_000 }: AgentTools,
): CertificateManager {
  const { domains, ca } = settings;
  const answers = new Map<string, string>();
  const cabinet = createAcmeStorage(directory, settings, { clock, log });
  /** The pair obtained last, also where the disk would not take it. */
  let current: CertificatePair | null = null;

  async function converseForPair(acme: Acme, signal: AbortSignal): Promise<CertificatePair> {
    await readDirectory(acme, settings.directory);
    const order = (client: Client) => orderCertificate({ acme, client, domains, answers, clock, signal });
    const account = cabinet.readAccount();
    if (account !== null) {
      try {
        return await order(await openAccount(acme, account, settings, cabinet));
      } catch (error) {
        if (!isUnknownAccount(error)) throw error;
        log.warn({ directory: settings.directory }, "the CA no longer knows the account; making another");
      }
    }
    return order(await registerAccount(acme, settings, cabinet));
  }

  async function obtain(signal: AbortSignal): Promise<CertificatePair> {
    log.info({ domains, directory: settings.directory }, "ordering a certificate");
    try {
      cabinet.prepare();
      current = await withAcmeClient({ ca, patience, signal }, (acme) => converseForPair(acme, signal));
    } catch (error) {
      throw describeAcmeError(error, settings, signal, clock.now());
    }
    keepPair(current);
    log.info({ domains, expires_at: current.validTo }, "got a certificate");
    return current;
  }

  /** The server goes on with what the CA gave; only its next start would have to order again. */
  function keepPair(pair: CertificatePair): void {
    try {
      cabinet.keepPair(pair);
    } catch (error) {
      log.error({ directory, err: error }, "cannot keep the new certificate: the next start orders another");
    }
  }

  async function askWindow(pair: CertificatePair, signal: AbortSignal): Promise<RenewalWindow | null> {
    try {
      return await withAcmeClient({ ca, patience, signal }, (acme) =>
        readRenewalWindow(acme, settings.directory, pair),
      );
    } catch (error) {
      log.debug({ err: error }, "could not read the CA's renewal information");
      return null;
    }
  }

  return {
    challenges: { answer: (token) => answers.get(token) ?? null },
    readKept: () => cabinet.readPair(),
    obtain,
    keepFresh: (onPair, signal) =>
      runRenewalLoop(
        current ?? cabinet.readPair(),
        onPair,
        { domains, clock, log, random, obtain, askWindow },
        signal,
      ),
  };
}
