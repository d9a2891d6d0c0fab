import type { Provider } from "../domain/provider.ts";
import { readSocketPath, UNIX } from "../lib/ip-address.ts";
import type { LogFormat } from "../lib/log.ts";
import { Defaulted, TableSetting } from "../lib/schema.ts";
import { type AcmeConfig, checkAcmeWithServer, resolveAcme } from "./acme.ts";
import { isSet, type ReadContext, readVariable } from "./read/context.ts";
import { child, formatValue, type Place, variable } from "./read/issues.ts";
import { EXPECTED_HOST, isHost } from "./read/network.ts";
import { resolvePath } from "./read/paths.ts";
import { type CheckedTable, extendTable, readTable } from "./read/table.ts";
import { readText } from "./read/toml.ts";
import { EXPECTED_PORT, ServerTable, TrustedUrl } from "./schema.ts";

const MIB = 1024 ** 2;

/** The public listener, and what the server does beside it. */
export interface Server {
  /** An IP address, a host name, or a unix socket as `unix:` and its absolute path. */
  readonly host: string;
  /** 0 picks a free one. A unix socket has 0. */
  readonly port: number;
  /** In bytes. */
  readonly maxBody: number;
  /** Bytes held in all for requests whose senders are not verified yet. */
  readonly maxUnverified: number;
  /** Proxies whose header with the client's address counts: IP addresses, CIDR ranges, and `unix` for peers of the socket. */
  readonly trustedProxies: readonly string[];
  /** The header in which those proxies send the client's address. */
  readonly clientIpHeader: string;
  /** Without a slash at its end; for messages and links only. */
  readonly publicUrl: string | null;
  /** In milliseconds. */
  readonly shutdownGrace: number;
  /** The format of the log; null for the one that suits standard error. */
  readonly logFormat: LogFormat | null;
  /** How many deployments may run at once, of all targets. */
  readonly maxDeployments: number;
  /** Milliseconds between two checks for missed pushes; null for one check at the start only. */
  readonly catchUpEvery: number | null;
  /** `https` with `tls` or `acme`. */
  readonly protocol: "http" | "https";
  /** Absolute paths of PEM files; null for plain HTTP and with `acme`. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
  readonly acme: AcmeConfig | null;
  /** Where the providers' lists of address ranges are downloaded, by the provider's name: https, or on this machine. */
  readonly rangesUrls: Readonly<Record<string, string>>;
}

/** How `[server]` is read. */
interface ServerContext extends ReadContext {
  readonly providers: readonly Provider[];
  /** Whether the caller will serve: only then must the certificate files be readable. */
  readonly toServe: boolean;
}

/** Reads `[server]`, takes from the environment what the file leaves out, and adds defaults. */
export function resolveServer(raw: unknown, place: Place, context: ServerContext): Server {
  const ranges = createRangesTable(context.providers);
  const table = readTable(extendTable(ServerTable, ranges.properties), raw, place, context.issues);
  const { values, has } = table;
  const at = (key: string) => child(place, key);

  const acme = has("acme") ? resolveAcme(values.acme, at("acme"), context) : null;
  const tls = readTls(table, context);
  const protocol = tls === undefined && acme === null ? "http" : "https";
  const host = has("host")
    ? readHost(values.host, at("host"), context.directory, context)
    : readHost(readVariable("HOST", context), variable("HOST"), context.cwd, context);
  const { max_body: maxBody, max_unverified: maxUnverified = Math.max(256 * MIB, maxBody) } = values;
  if (maxUnverified < maxBody) {
    context.issues.fault(at("max_unverified"), "must be at least max_body, the size of one request");
  }
  const server: Server = Object.freeze({
    // A server with HTTPS is meant to be exposed.
    host: host ?? (protocol === "http" ? "127.0.0.1" : "0.0.0.0"),
    port: readPort(table, host, context) ?? 9000,
    maxBody,
    maxUnverified,
    trustedProxies: Object.freeze(values.trusted_proxies),
    clientIpHeader: values.client_ip_header,
    publicUrl: values.public_url?.replace(/\/+$/, "") ?? null,
    shutdownGrace: values.shutdown_grace,
    logFormat: values.log_format ?? null,
    maxDeployments: values.max_deployments,
    catchUpEvery: values.catch_up_every === "off" ? null : values.catch_up_every,
    protocol,
    tls: tls === undefined ? null : resolveTls(tls, table, context),
    acme,
    rangesUrls: Object.freeze(pickRangesUrls(values, context.providers)),
  });
  if (isSocket(host) && !values.trusted_proxies.includes(UNIX)) {
    context.issues.warn(
      at("trusted_proxies"),
      'does not include "unix": the addresses of all clients are unknown, so "verify_token" and "allow" reject them',
    );
  }
  if (acme !== null) checkAcmeWithServer(acme, server, place, context);
  return server;
}

/** `<provider>_ranges_url` for each provider that publishes its address ranges. */
export function createRangesTable(providers: readonly Provider[]) {
  const publishers = providers.flatMap(({ name, publishedRanges }) =>
    publishedRanges === undefined ? [] : [{ name, key: rangesKey(name), url: publishedRanges.url }],
  );
  return TableSetting(
    Object.fromEntries(publishers.map(({ key, url }) => [key, Defaulted(TrustedUrl(url), url)])),
    Object.fromEntries(
      publishers.map(({ name, key }) => [key, `Where the ranges of \`allow = ["${name}"]\` are downloaded.`]),
    ),
  );
}

function rangesKey(provider: string): string {
  return `${provider}_ranges_url`;
}

function pickRangesUrls(
  values: Readonly<Record<string, unknown>>,
  providers: readonly Provider[],
): Server["rangesUrls"] {
  const urls: Record<string, string> = {};
  for (const { name } of providers) {
    const url = values[rangesKey(name)];
    if (typeof url === "string") urls[name] = url;
  }
  return urls;
}

/** unix(7) has room for 107 bytes, on macOS for 103. The listener needs 4 of them for a temporary name. */
function maxSocketPath(platform: NodeJS.Platform): number {
  return platform === "darwin" ? 99 : 103;
}

/** A host, or a unix socket, whose relative path starts at `base`. */
function readHost(
  text: string | undefined,
  place: Place,
  base: string,
  context: ReadContext,
): string | undefined {
  const written = text === undefined ? null : readSocketPath(text);
  if (written === null) {
    if (text === undefined || isHost(text)) return text;
    context.issues.fault(place, `expected ${EXPECTED_HOST}, found ${formatValue(text)}`);
    return undefined;
  }
  const path = resolvePath(written, base, place, context);
  const longest = maxSocketPath(context.platform ?? process.platform);
  if (/^$|\/$|\p{Cc}/u.test(written)) {
    const expected = 'expected the path of a socket, such as "unix:/run/hooklatch.sock"';
    context.issues.fault(place, `${expected}, found ${formatValue(text)}`);
  } else if (Buffer.byteLength(path) > longest) {
    const expected = `expected a path of at most ${longest} bytes, the system's limit for sockets`;
    context.issues.fault(place, `${expected}, found ${formatValue(path)}`);
  }
  return `unix:${path}`;
}

function readPort(
  { has, values, place }: CheckedTable<typeof ServerTable>,
  host: string | undefined,
  context: ReadContext,
): number | undefined {
  if (!isSocket(host)) return has("port") ? values.port : portFromEnvironment(context);
  if (values.port !== undefined) {
    context.issues.fault(child(place, "port"), "does not apply, because host is a unix socket: remove it");
  }
  return 0;
}

function isSocket(host: string | undefined): boolean {
  return host !== undefined && readSocketPath(host) !== null;
}

function portFromEnvironment(context: ReadContext): number | undefined {
  const text = readVariable("PORT", context);
  if (text === undefined) return undefined;
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  context.issues.fault(variable("PORT"), `expected ${EXPECTED_PORT}, found ${formatValue(text)}`);
  return undefined;
}

type TlsFiles = NonNullable<Server["tls"]>;

/** The two files of `[server.tls]`, else of the environment. `[server.acme]` excludes both. */
function readTls(
  { has, values, place }: CheckedTable<typeof ServerTable>,
  context: ReadContext,
): TlsFiles | undefined {
  if (!has("acme")) return has("tls") ? values.tls : tlsFromEnvironment(context);
  if (has("tls")) context.issues.fault(child(place, "acme"), "set [server.acme] or [server.tls], not both");
  for (const name of has("tls") ? [] : ["TLS_CERT", "TLS_KEY"]) {
    if (!isSet(name, context)) continue;
    context.issues.fault(
      variable(name),
      "conflicts with [server.acme], which gets its own certificate: unset it",
    );
  }
  return undefined;
}

/** One variable without the other is a fault, rather than plain HTTP for a user who asked for TLS. */
function tlsFromEnvironment(context: ReadContext): TlsFiles | undefined {
  const [cert, key] = [readVariable("TLS_CERT", context), readVariable("TLS_KEY", context)];
  if (cert !== undefined && key !== undefined) return { cert, key };
  if (cert !== undefined)
    context.issues.fault(variable("TLS_CERT"), "is set, but $TLS_KEY is not: set both or neither");
  if (key !== undefined)
    context.issues.fault(variable("TLS_KEY"), "is set, but $TLS_CERT is not: set both or neither");
  return undefined;
}

function resolveTls(
  { cert, key }: TlsFiles,
  { has, place }: CheckedTable<typeof ServerTable>,
  context: ServerContext,
): TlsFiles {
  const isWritten = has("tls");
  const base = isWritten ? context.directory : context.cwd;
  const placeOf = (name: "cert" | "key") =>
    isWritten ? child(child(place, "tls"), name) : variable(`TLS_${name.toUpperCase()}`);
  const files = Object.freeze({
    cert: resolvePath(cert, base, placeOf("cert"), context),
    key: resolvePath(key, base, placeOf("key"), context),
  });
  if (!context.toServe) return files;
  checkReadable(files.cert, "certificate", placeOf("cert"), context);
  checkReadable(files.key, "private key", placeOf("key"), context);
  return files;
}

function checkReadable(file: string, what: string, place: Place, { issues }: ReadContext): void {
  const found = readText(file);
  if (found.kind === "unreadable") issues.fault(place, `the ${what} file ${file} ${found.problem}`);
}
