import { join } from "node:path";
import { createCertificateManager } from "../acme/index.ts";
import type { Config } from "../config/load.ts";
import { createHttp01Redirect } from "../http/http01-redirect.ts";
import { type Listener, openListener } from "../http/server/listen.ts";
import { type Certificate, readCertificate } from "../http/tls/certificate.ts";
import { watchCertificate } from "../http/tls/certificate-watcher.ts";
import { createThrottledLog } from "../lib/throttled-log.ts";
import type { AppEnvironment } from "./services.ts";

/** Where the public listener's certificate comes from, at first and later. */
export interface Certificates {
  /** The first one; null for plain HTTP. Comes when there is one: at once, unless a CA is still to give it. */
  readonly first: Promise<Certificate | null>;
  /** Hands later ones to the listener, which was opened with the first. */
  serveOn(listener: Listener, first: Certificate): void;
  expiresAt(): Date | null;
  /** Looks at once whether there is another. */
  look(): Promise<void>;
  /** Resolves when nothing is done any more, after the signal was aborted. */
  stop(): Promise<void>;
}

/** Plain HTTP, the files of `[server.tls]`, or what `[server.acme]` gets. Throws when the files cannot be used. */
export async function createCertificates(
  configured: () => Config,
  surroundings: AppEnvironment,
  signal: AbortSignal,
): Promise<Certificates> {
  const { tls, acme } = configured().server;
  if (tls !== null) return watchFiles(tls, surroundings, signal);
  if (acme !== null) return askAuthority(configured, acme, surroundings, signal);
  return {
    first: Promise.resolve(null),
    serveOn() {},
    expiresAt: () => null,
    async look() {},
    async stop() {},
  };
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
    look: async () => watch?.look(),
    stop: async () => watch?.ended,
  };
}

/** Gets a certificate from a CA and renews it; what the CA asks is answered on the plain listener. */
async function askAuthority(
  configured: () => Config,
  { settings, httpPort }: NonNullable<Config["server"]["acme"]>,
  { clock, log }: AppEnvironment,
  signal: AbortSignal,
): Promise<Certificates> {
  const config = configured();
  const agent = createCertificateManager(settings, join(config.dataDir, "acme"), { clock, log });
  const logThrottled = createThrottledLog(log, clock);
  let listener: Listener | null = null;
  const plain = await openListener({
    host: config.server.host,
    port: httpPort,
    // None is read: whoever sends one is told where to go instead.
    maxBody: null,
    certificate: null,
    // For each request: sources come and go, and the port may be one that the system picked.
    handle: (request) =>
      createHttp01Redirect({
        answerChallenge: agent.answerChallenge,
        ...findPublicPlace(configured(), listener),
        sourcePaths: configured().sources.map(({ path }) => path),
        logThrottled,
      })(request),
  });
  const { promise: first, resolve: giveFirst } = Promise.withResolvers<Certificate>();
  let current: Certificate | null = agent.readStored();
  if (current === null) log.info({ domains: settings.domains }, "asking the CA for the first certificate");
  else giveFirst(current);

  function takeOver(certificate: Certificate): void {
    current = certificate;
    giveFirst(certificate);
    listener?.renew(certificate).catch((error) => {
      log.error({ err: error }, "the renewed certificate cannot be taken up before the next start");
    });
  }

  const keeping = agent
    .runRenewals(takeOver, signal)
    .catch((error) => log.error({ err: error }, "a fault of ours: the certificate is not renewed any more"));
  return {
    first,
    serveOn(opened, shown) {
      listener = opened;
      if (current !== null && current !== shown) takeOver(current);
    },
    expiresAt: () => current?.validTo ?? null,
    // A CA is asked when it is time, and not when somebody says so.
    async look() {},
    async stop() {
      await Promise.allSettled([keeping, plain.stop(0)]);
    },
  };
}

/** Where people and senders have to go: what `public_url` says, else the first domain and the listener's port. */
function findPublicPlace({ server }: Config, listener: Listener | null) {
  const [firstDomain = ""] = server.acme?.settings.domains ?? [];
  if (server.publicUrl?.startsWith("https:")) {
    const { hostname, port } = new URL(server.publicUrl);
    return { publicHost: hostname, publicPort: Number(port || 443) };
  }
  return { publicHost: firstDomain, publicPort: Number(listener?.url.port || server.port) };
}
