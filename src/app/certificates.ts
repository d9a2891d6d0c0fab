import { join } from "node:path";
import { createCertificateAgent } from "../acme/agent.ts";
import type { Config } from "../config/load.ts";
import { complainSparingly } from "../flow/complain.ts";
import { type Certificate, readCertificate } from "../http/certificate.ts";
import { type Listener, openListener } from "../http/listen.ts";
import { createPlain } from "../http/plain.ts";
import { watchCertificate } from "../http/renewal.ts";
import type { AppSurroundings } from "./surroundings.ts";

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
export async function openCertificates(
  config: Config,
  surroundings: AppSurroundings,
  signal: AbortSignal,
): Promise<Certificates> {
  if (config.server.tls !== null) return watchFiles(config.server.tls, surroundings, signal);
  if (config.server.acme !== null) return askAuthority(config, config.server.acme, surroundings, signal);
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
  { clock, log }: AppSurroundings,
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
  config: Config,
  { settings, httpPort }: NonNullable<Config["server"]["acme"]>,
  { clock, log }: AppSurroundings,
  signal: AbortSignal,
): Promise<Certificates> {
  const agent = createCertificateAgent(settings, join(config.dataDir, "acme"), { clock, log });
  const { host, port, publicUrl } = config.server;
  const [firstDomain = ""] = settings.domains;
  const plain = await openListener({
    host,
    port: httpPort,
    maxBody: 0,
    certificate: null,
    handle: createPlain({
      answerChallenge: agent.challenges.answer,
      publicHost: publicUrl === null ? firstDomain : new URL(publicUrl).hostname,
      publicPort: port,
      sourcePaths: config.sources.map(({ path }) => path),
      complain: complainSparingly(log, clock),
    }),
  });
  const { promise: first, resolve: giveFirst } = Promise.withResolvers<Certificate>();
  let current: Certificate | null = agent.readKept();
  let listener: Listener | null = null;
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
    .keepFresh(takeOver, signal)
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
