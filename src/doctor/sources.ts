import type { Config } from "../config/load.ts";
import { isLoopback, localOrigin, readSocketPath } from "../lib/ip-address.ts";
import { providers } from "../providers/index.ts";
import { type CheckResult, ok, warn } from "./index.ts";

/** What is looked at of the configuration. */
interface Settings extends Pick<Config, "server" | "targets"> {
  readonly sources: readonly Pick<Config["sources"][number], "name" | "provider" | "path" | "print">[];
}

/** Where each source is reached from outside, which is what people paste into a forge, and who listens to it. */
export function checkSources({ server, sources, targets }: Settings): readonly CheckResult[] {
  const origin = server.publicUrl ?? guessOrigin(server);
  return sources.map(({ name, path, print }) => {
    const text = `source ${name}: ${origin}${path}`;
    const listeners = targets.filter(({ source }) => source === name).map((target) => target.name);
    if (listeners.length > 0) return ok(`${text} for ${listeners.join(", ")}`);
    if (print) return ok(`${text} prints what it accepts`);
    return warn(
      `${text} has no target that listens to it and print is off, so deliveries are only kept: give it a target, or print = true`,
    );
  });
}

/**
 * Whether `public_url` and the listener can be the same place, whether a forge can reach that, and whether what is sent
 * there is readable on the way.
 */
export function checkPublicUrl(settings: Settings): readonly CheckResult[] {
  const { publicUrl, protocol, host, port, trustedProxies } = settings.server;
  if (publicUrl === null)
    return [...checkReach(settings), ...(protocol === "http" ? checkReadable(host) : [])];
  const url = new URL(publicUrl);
  const hasProxy = trustedProxies.length > 0 || isSocket(host);
  if (hasProxy) return [];
  if (protocol === "http" && url.protocol === "https:") {
    return [
      warn(
        `public_url is https, but neither [server.tls] nor [server.acme] is set: a proxy has to speak HTTPS for ${host}; name it in trusted_proxies, or set one of them`,
      ),
    ];
  }
  if (protocol === "https" && url.protocol === "http:") {
    return [
      warn(`public_url is http, but the listener speaks HTTPS: write ${publicUrl.replace(/^http/, "https")}`),
    ];
  }
  const readable = protocol === "http" ? checkReadable(host) : [];
  const publicPort = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
  if (port === publicPort || port === 0) return readable;
  return [
    ...readable,
    warn(
      `public_url is on port ${publicPort}, the listener on ${port}: unless something forwards it, write ${withPort(url, port)}`,
    ),
  ];
}

function withPort(url: URL, port: number): string {
  const changed = new URL(url);
  changed.port = String(port);
  return changed.href.replace(/\/$/, "");
}

/** A forge sends from elsewhere. Where a proxy is named, that one may be on this machine. */
function checkReach({
  server: { host, protocol, trustedProxies },
  sources,
  targets,
}: Settings): CheckResult[] {
  if (!isLoopback(host) || trustedProxies.length > 0) return [];
  const forges = providers.filter(({ reportsPushes }) => reportsPushes).map(({ name }) => name);
  const heard = new Set(targets.map(({ source }) => source));
  const open = protocol === "http" ? "set [server.acme] or [server.tls]" : 'set host = "0.0.0.0"';
  return sources
    .filter(({ name, provider }) => forges.includes(provider) && heard.has(name))
    .map(({ name }) =>
      warn(
        `source ${name}: only this machine reaches ${host}, so that no push from elsewhere comes: ${open}, or put a proxy in front, named in trusted_proxies`,
      ),
    );
}

function checkReadable(host: string): CheckResult[] {
  if (isLoopback(host) || isSocket(host)) return [];
  return [
    warn(
      "no TLS: payloads and verify tokens travel readable; set [server.tls] or [server.acme], or keep it behind a proxy that has it",
    ),
  ];
}

/** What is known of the address where nobody said it. */
function guessOrigin({ protocol, host, port }: Config["server"]): string {
  if (isSocket(host)) return `${host}:`;
  const isEverywhere = host === "0.0.0.0" || host === "::";
  const origin = isEverywhere ? `${protocol}://YOUR-SERVER:${port}` : localOrigin(protocol, { host, port });
  return origin.replace(/:0$/, ":<a free port>");
}

function isSocket(host: string): boolean {
  return readSocketPath(host) !== null;
}
