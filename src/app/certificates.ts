import { join } from "node:path";
import { createCertificateManager } from "../acme/index.ts";
import type { Config } from "../config/load.ts";
import type { ChallengeStore } from "../domain/host.ts";
import { createHttp01Redirect } from "../http/http01-redirect.ts";
import type { DescriptorReserve } from "../http/server/descriptor-reserve.ts";
import { type Listener, openListener } from "../http/server/listen.ts";
import { type Certificate, readCertificate } from "../http/tls/certificate.ts";
import { watchCertificate } from "../http/tls/certificate-watcher.ts";
import { createThrottledLog } from "../lib/log.ts";
import type { AppEnvironment } from "./services.ts";

/** The source of the public listener's certificate. */
export interface Certificates {
  /** The first certificate. Resolves at once, unless a CA has to issue it first. */
  readonly first: Promise<Certificate>;
  /** Passes later certificates to the listener, which was opened with the first. */
  serveOn(listener: Listener, first: Certificate): void;
  /** Null before the first one. */
  expiresAt(): Date | null;
  /** Checks at once for another certificate. */
  checkNow(): Promise<void>;
  /** Resolves when everything has ended, after the signal was aborted. */
  stop(): Promise<void>;
}

type CertificateEnvironment = AppEnvironment & {
  /** Shared with other processes that the CA may ask; null for none. */
  readonly challenges: ChallengeStore | null;
};

/** Reads the files of `[server.tls]`, or asks a CA. Null for plain HTTP. Rejects when the files are unusable. */
export async function createCertificates(
  config: () => Config,
  environment: CertificateEnvironment,
  descriptors: DescriptorReserve,
  signal: AbortSignal,
): Promise<Certificates | null> {
  const { tls, acme } = config().server;
  if (tls !== null) return watchFiles(tls, environment, signal);
  return acme === null ? null : openAcme(config, acme, environment, descriptors, signal);
}

function watchFiles(
  files: { readonly cert: string; readonly key: string },
  { clock, log }: AppEnvironment,
  signal: AbortSignal,
): Certificates {
  let current = readCertificate(files, clock.now());
  let watch: ReturnType<typeof watchCertificate> | null = null;
  return {
    first: Promise.resolve(current),
    serveOn(listener, first) {
      const onChange = async (certificate: Certificate) => {
        await listener.renew(certificate);
        current = certificate;
      };
      watch = watchCertificate(files, first, { clock, log, onChange, signal });
    },
    expiresAt: () => current.validTo,
    checkNow: async () => watch?.checkNow(),
    stop: async () => watch?.ended,
  };
}

/** Gets certificates from a CA. Opens the plain HTTP listener, which answers the CA's challenges. */
async function openAcme(
  config: () => Config,
  { settings, httpPort }: NonNullable<Config["server"]["acme"]>,
  { clock, log, challenges }: CertificateEnvironment,
  descriptors: DescriptorReserve,
  signal: AbortSignal,
): Promise<Certificates> {
  const { dataDir, server } = config();
  const manager = createCertificateManager(settings, join(dataDir, "acme"), { clock, log, challenges });
  const { promise: first, resolve: resolveFirst } = Promise.withResolvers<Certificate>();
  const logThrottled = createThrottledLog(log, clock);
  let listener: Listener | null = null;
  const plainListener = await openListener({
    host: server.host,
    port: httpPort,
    // The handler reads no body.
    maxBody: null,
    certificate: null,
    // Created for each request: a reload changes the sources, and the port may be one that the system picked.
    handle: (request) =>
      createHttp01Redirect({
        answerChallenge: manager.answerChallenge,
        ...findPublicAddress(config(), listener),
        sourcePaths: config().sources.map(({ path }) => path),
        logThrottled,
      })(request),
  });
  descriptors.guard(plainListener, "first");
  let current: Certificate | null = manager.readStored();
  if (current === null)
    log.info({ domains: settings.domains }, "requesting the first certificate from the CA");
  else resolveFirst(current);

  function use(certificate: Certificate): void {
    current = certificate;
    resolveFirst(certificate);
    listener?.renew(certificate).catch((error) => {
      log.error({ err: error }, "could not use the renewed certificate; the next start uses it");
    });
  }

  const renewals = manager.runRenewals(use, signal).catch((error) => {
    log.error({ err: error }, "internal error: the certificate is not renewed until the next start");
  });
  return {
    first,
    serveOn(opened, shown) {
      listener = opened;
      if (current !== null && current !== shown) use(current);
    },
    expiresAt: () => current?.validTo ?? null,
    // Only the renewals contact the CA, when a certificate is due.
    async checkNow() {},
    async stop() {
      await Promise.allSettled([renewals, plainListener.stop(0)]);
    },
  };
}

/** The host and port of redirects: those of `public_url`, or else the first domain and the listener's port. */
function findPublicAddress({ server }: Config, listener: Listener | null) {
  if (server.publicUrl?.startsWith("https:")) {
    const { hostname, port } = new URL(server.publicUrl);
    return { publicHost: hostname, publicPort: Number(port || 443) };
  }
  const [publicHost = ""] = server.acme?.settings.domains ?? [];
  return { publicHost, publicPort: Number(listener?.url.port || server.port) };
}
