import type { Client } from "acme-client";
import type { ChallengeStore } from "../domain/host.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Secret } from "../lib/secret.ts";
import type { CertificatePair } from "./certificate.ts";
import { type AcmeConnection, createAccount, loadAcme, openAccount, readDirectory } from "./client.ts";
import { describeAcmeError, isUnknownAccount } from "./errors.ts";
import { orderCertificate } from "./order.ts";
import { type RenewalWindow, readRenewalWindow } from "./renewal.ts";
import { runRenewalLoop } from "./renewal-loop.ts";
import { createAcmeStorage } from "./storage.ts";

export type { CertificatePair } from "./certificate.ts";

/** The CA and the domains (RFC 8555). To configure them is to agree to the CA's terms. */
export interface AcmeSettings {
  /** DNS names in lower case. One certificate covers all of them. */
  readonly domains: readonly string[];
  /** The address for mail from the CA. */
  readonly email: string | null;
  /** The URL of the CA's directory. */
  readonly directory: string;
  /** PEM certificates that verify a private CA; null for the public roots. */
  readonly ca: string | null;
  /** The account that the CA's site issued (RFC 8555, section 7.3.4); null for a CA that requires none. */
  readonly eab: { readonly keyId: string; readonly key: Secret } | null;
}

/** Gets a certificate from a CA, stores it and renews it. */
export interface CertificateManager {
  /**
   * The answer on port 80 at `/.well-known/acme-challenge/<token>` (RFC 8555, section 8.3): the key authorisation of a
   * pending token of any process, or null for any other.
   */
  answerChallenge(token: string): Promise<string | null>;
  /** The stored pair, if it is from this CA, covers these domains and has not expired; else null. Never throws. */
  readStored(): CertificatePair | null;
  /**
   * Orders a new pair and stores it. The challenges must be served meanwhile. Rejects with a `CertificateError`. Logs an
   * error when the pair cannot be stored, and returns it.
   */
  obtain(signal: AbortSignal): Promise<CertificatePair>;
  /**
   * Orders a pair when there is none or the current one is due, and passes each new one to `onPair`, until the signal is
   * aborted. A pair is due when the CA's renewal information says so (RFC 9773), or with a third of its lifetime left; a
   * new pair that is due at once is used for an hour. Failures are logged and retried after one minute at first and 12
   * hours at most, or when a rate limit ends. Rejects only with what `onPair` throws. Call it once.
   */
  runRenewals(onPair: (pair: CertificatePair) => void, signal: AbortSignal): Promise<void>;
}

/** The services and limits of a certificate manager. */
export interface CertificateManagerOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** From 0 up to 1, for jitter; `Math.random` by default. */
  readonly random?: () => number;
  /** Where other processes find the answers to this one's challenges; null for none. */
  readonly challenges?: ChallengeStore | null;
  /** Milliseconds that one response of the CA may take; 30 s by default. */
  readonly timeout?: number;
}

/** Creates the manager of one certificate. It stores its account and pairs in `directory` (mode 0700). */
export function createCertificateManager(
  settings: AcmeSettings,
  directory: string,
  { clock, log, random = Math.random, challenges = null, timeout = 30_000 }: CertificateManagerOptions,
): CertificateManager {
  const { domains } = settings;
  const answers = new Map<string, string>();
  const storage = createAcmeStorage(directory, settings, { clock, log });
  /** The newest pair, even if it could not be stored. */
  let current: CertificatePair | null = null;

  const connectionFor = (signal: AbortSignal): AcmeConnection => ({ ...settings, timeout, signal });

  async function orderPair(signal: AbortSignal): Promise<CertificatePair> {
    const connection = connectionFor(signal);
    // The library does not check that it is a directory.
    await readDirectory(connection);
    const acme = await loadAcme(connection);
    const order = (client: Client) =>
      orderCertificate({ acme, client, domains, answers, challenges, clock, signal });
    try {
      const client = await openAccount(acme, settings, storage);
      if (client !== null) return await order(client);
    } catch (error) {
      if (!isUnknownAccount(error)) throw error;
      log.warn(
        { directory: settings.directory },
        "the CA does not know the ACME account; creating a new one",
      );
    }
    return order(await createAccount(acme, settings, storage));
  }

  async function obtain(signal: AbortSignal): Promise<CertificatePair> {
    log.info({ domains, directory: settings.directory }, "ordering a certificate");
    try {
      storage.prepare();
      current = await orderPair(signal);
    } catch (error) {
      throw describeAcmeError(error, settings, signal, clock.now());
    }
    try {
      storage.savePair(current);
    } catch (error) {
      const fields = { directory, err: error };
      log.error(fields, "cannot store the new certificate; the next start orders another one");
    }
    log.info({ domains, expires_at: current.validTo }, "certificate issued");
    return current;
  }

  async function readWindow(pair: CertificatePair, signal: AbortSignal): Promise<RenewalWindow | null> {
    try {
      return await readRenewalWindow(connectionFor(signal), pair);
    } catch (error) {
      log.debug({ err: error }, "cannot read the CA's renewal information");
      return null;
    }
  }

  return {
    answerChallenge: async (token) => answers.get(token) ?? (await challenges?.find(token)) ?? null,
    readStored: () => storage.readPair(),
    obtain,
    runRenewals: (onPair, signal) =>
      runRenewalLoop(
        current ?? storage.readPair(),
        onPair,
        { domains, clock, log, random, obtain, readWindow },
        signal,
      ),
  };
}
