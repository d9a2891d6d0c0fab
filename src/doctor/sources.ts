import type { Config, OwnedSecret } from "../config/load.ts";
import type { SourceHandler } from "../domain/provider.ts";
import { isLoopback, localOrigin, readSocketPath } from "../lib/ip-address.ts";
import { providers } from "../providers/index.ts";
import { readCertifiedName } from "./certificate.ts";
import { type CheckResult, ok, warn } from "./check-result.ts";

/** The settings that these checks read. */
interface Settings extends Pick<Config, "server" | "targets"> {
  readonly sources: readonly (Pick<Config["sources"][number], "name" | "provider" | "path" | "print"> & {
    readonly handler: Pick<SourceHandler, "describeCredentials">;
  })[];
}

/** Shows the URL of each source, to paste into a forge, and the targets that use it. */
export function checkSources({
  server,
  sources,
  targets,
  secrets: owned,
}: Settings & Pick<Config, "secrets">): readonly CheckResult[] {
  const origin = server.publicUrl ?? describeOrigin(server);
  return sources.map(({ name, provider, path, print, handler }) => {
    const secrets = owned.filter(({ owner }) => owner === `source ${name}`);
    const text = `source ${name}: ${origin}${path}`;
    const own = targets.filter(({ source }) => source === name);
    const waitsForCi = own.some(({ waitForCi }) => waitForCi !== null);
    const form =
      describeForm(provider, { url: `${origin}${path}`, secrets, waitsForCi }) + describeRequest(handler);
    const users = own.map((target) => target.name);
    if (users.length > 0) return ok(`${text} for ${users.join(", ")}${form}`);
    if (print) return ok(`${text} prints its deliveries; no target uses it${form}`);
    return warn(`${text} only stores its deliveries: add a target that uses it, or set print = true`);
  });
}

/** What to enter at the sender; the secrets by their origins, the first of each list. */
function describeForm(
  name: string,
  {
    url,
    secrets,
    waitsForCi,
  }: { readonly url: string; readonly secrets: readonly OwnedSecret[]; readonly waitsForCi: boolean },
): string {
  const provider = providers.find((each) => each.name === name);
  const origins = secrets.toReversed().map(({ option, secret }) => [option, String(secret)] as const);
  const form = provider?.webhookForm?.({
    url,
    secrets: Object.fromEntries(origins.map(([option, origin]) => [option, `the value of ${origin}`])),
    repository: null,
    waitsForCi,
  });
  if (form === undefined) return "";
  const { sender, page, fields, issuedSecret } = form;
  const others = fields.filter(([, value]) => value !== url);
  const list = others.map(([label, value]) => `${label}: ${value}`).join(", ");
  const where = `; enter this URL at ${sender} in ${page}${list === "" ? "" : ` (${list})`}`;
  const origin = origins.at(-1)?.[1];
  return issuedSecret === undefined ? where : `${where}; ${origin} must hold its ${issuedSecret}`;
}

/** How requests of a sender without a form look; empty for the others. */
function describeRequest({ describeCredentials }: Pick<SourceHandler, "describeCredentials">): string {
  const credentials = describeCredentials?.() ?? [];
  return credentials.length === 0 ? "" : `; send JSON with POST, ${credentials.join(", ")}`;
}

/** Checks that `public_url` fits the listener, that forges can reach it, and that requests are encrypted. */
export function checkPublicUrl(settings: Settings): readonly CheckResult[] {
  const { publicUrl, protocol, host, port, trustedProxies } = settings.server;
  const plain = protocol === "http" ? checkPlainHttp(host) : [];
  if (publicUrl === null) return [...checkReachable(settings), ...plain];
  if (trustedProxies.length > 0 || isSocket(host)) return [];
  const url = new URL(publicUrl);
  if (protocol === "http" && url.protocol === "https:") {
    return [
      warn(
        `public_url is https, but the listener on ${host} uses plain HTTP: set [server.tls] or [server.acme], or put a proxy in front and add it to trusted_proxies`,
      ),
    ];
  }
  if (protocol === "https" && url.protocol === "http:") {
    const corrected = publicUrl.replace(/^http/, "https");
    return [warn(`public_url is http, but the listener uses HTTPS: set it to ${corrected}`)];
  }
  const publicPort = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
  if (port === publicPort || port === 0) return plain;
  url.port = String(port);
  const corrected = url.href.replace(/\/$/, "");
  return [
    ...plain,
    warn(
      `public_url has port ${publicPort}, but the listener has port ${port}: set it to ${corrected}, unless something forwards the port`,
    ),
  ];
}

/** Other machines cannot reach a listener on loopback, unless a proxy forwards to it. */
function checkReachable({ server, sources }: Settings): readonly CheckResult[] {
  const { host, protocol, trustedProxies } = server;
  if (!isLoopback(host) || trustedProxies.length > 0) return [];
  const remedy = protocol === "http" ? "set [server.acme] or [server.tls]" : 'set host = "0.0.0.0"';
  const names = sources.map(({ name }) => name).join(", ");
  return [
    warn(
      `source${sources.length === 1 ? "" : "s"} ${names}: the listener on ${host} is not reachable from other machines, so none of their deliveries arrive: ${remedy}, or put a proxy in front and add it to trusted_proxies`,
    ),
  ];
}

function checkPlainHttp(host: string): readonly CheckResult[] {
  if (isLoopback(host) || isSocket(host)) return [];
  return [
    warn(
      "no TLS: payloads and verify tokens are not encrypted; set [server.tls] or [server.acme], or put a proxy with TLS in front",
    ),
  ];
}

/** The public origin without `public_url`. Behind a wildcard address, the name comes from the certificate. */
function describeOrigin(server: Config["server"]): string {
  const { protocol, host, port } = server;
  if (isSocket(host)) return `${host}:`;
  const isWildcard = host === "0.0.0.0" || host === "::";
  const origin = isWildcard
    ? `${protocol}://${readCertifiedName(server) ?? "YOUR-SERVER"}:${port}`
    : localOrigin(protocol, { host, port });
  return origin.replace(/:0$/, ":<any free port>");
}

function isSocket(host: string): boolean {
  return readSocketPath(host) !== null;
}
