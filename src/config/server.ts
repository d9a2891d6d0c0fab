import { resolve } from "node:path";
import { isAddressRange, readSocketPath, UNIX } from "../lib/ip-address.ts";
import { type AcmeConfig, checkAcme, resolveAcme } from "./acme.ts";
import { isSet, type ReadContext, readVariable } from "./read/context.ts";
import { child, type Place, variable } from "./read/issues.ts";
import { LONGEST_TIMER, limitDuration } from "./read/limits.ts";
import { EXPECTED_HOST, EXPECTED_RANGE, isHost, isLoopback, parseHttpUrl } from "./read/network.ts";
import { formatValue, type Section } from "./read/table.ts";
import { EXPECTED_PORT, EXPECTED_RANGES_URL, type ServerTable } from "./schema.ts";

const MIB = 1024 ** 2;

/** The public listener's part of the configuration. */
export interface Server {
  /** An IP address, a host name, or a unix socket as `unix:` and its absolute path. */
  readonly host: string;
  /** 0 picks a free one; a unix socket has 0. */
  readonly port: number;
  /** In bytes. */
  readonly maxBody: number;
  /** Bytes held in all for requests whose senders are not verified yet. */
  readonly maxUnverified: number;
  /** Whose X-Forwarded-For counts: IP addresses and CIDR ranges, and `unix` for who connects through the socket. */
  readonly trustedProxies: readonly string[];
  /** Without a slash at its end; for messages and links only. */
  readonly publicUrl: string | null;
  /** In milliseconds. */
  readonly shutdownGrace: number;
  /** How many deployments may run at once, of whatever targets. */
  readonly maxDeployments: number;
  /** Milliseconds between two looks at what the targets' branches are at; null for none after the start. */
  readonly catchUpEvery: number | null;
  /** What it speaks: HTTPS with `tls` or `acme`. */
  readonly protocol: "http" | "https";
  /** Absolute paths of PEM files; null for plain HTTP, and where `acme` gives the certificate. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
  /** Where a certificate is got from by itself; null where none is. */
  readonly acme: AcmeConfig | null;
  /** Where GitHub's hook ranges are asked for; https, or on this machine. */
  readonly githubRangesUrl: string;
}

/** `[server]`, from the environment where the file is silent, with defaults for the rest. */
export function resolveServer(section: Section<typeof ServerTable>, ground: ReadContext): Server {
  const { values, place } = section;
  limitDuration(values.shutdown_grace, LONGEST_TIMER, child(place, "shutdown_grace"), ground);
  const acme = section.has("acme") ? resolveAcme(values.acme, child(place, "acme"), ground) : null;
  const tls = readTls(section, ground);
  const host = section.has("host")
    ? readHost(values.host, child(place, "host"), ground.directory, ground)
    : readHost(readVariable("HOST", ground), variable("HOST"), ground.cwd, ground);
  const { max_body: maxBody = 25 * MIB, max_unverified: maxUnverified = Math.max(256 * MIB, maxBody) } =
    values;
  if (maxUnverified < maxBody) {
    ground.report.fault(child(place, "max_unverified"), "expected room for at least one body of max_body");
  }
  const trusted = values.trusted_proxies ?? [];
  if (isSocket(host) && !trusted.includes(UNIX)) {
    ground.report.warn(
      child(place, "trusted_proxies"),
      'lacks "unix": nobody tells the addresses of those who come through the unix socket, so that a token or "allow" lets nobody in',
    );
  }
  const protocol = tls === undefined && acme === null ? "http" : "https";
  const server: Server = Object.freeze({
    // HTTPS is there to be exposed.
    host: host ?? (protocol === "http" ? "127.0.0.1" : "0.0.0.0"),
    port: readPort(section, host, ground) ?? 9000,
    maxBody,
    maxUnverified,
    trustedProxies: checkProxies(trusted, child(place, "trusted_proxies"), ground),
    publicUrl: checkPublicUrl(values.public_url, child(place, "public_url"), ground),
    shutdownGrace: values.shutdown_grace ?? 30_000,
    maxDeployments: values.max_deployments ?? 8,
    catchUpEvery: readInterval(values.catch_up_every, child(place, "catch_up_every"), ground),
    protocol,
    tls: tls === undefined ? null : resolveTls(tls, section.has("tls") ? ground.directory : ground.cwd),
    acme,
    githubRangesUrl: checkRangesUrl(values.github_ranges_url, child(place, "github_ranges_url"), ground),
  });
  if (acme !== null) checkAcme(acme, server, place, ground);
  return server;
}

function readInterval(written: number | "off" | undefined, place: Place, ground: ReadContext): number | null {
  if (written === "off") return null;
  limitDuration(written, LONGEST_TIMER, place, ground);
  return written ?? 15 * 60_000;
}

/** The host itself where it can be one, else a fault. Undefined stays undefined. */
export function checkHost(
  host: string | undefined,
  place: Place,
  { report }: ReadContext,
): string | undefined {
  if (host === undefined || isHost(host)) return host;
  report.fault(place, `expected ${EXPECTED_HOST}, found ${formatValue(host)}`);
  return undefined;
}

/** unix(7) has room for 107 bytes, and the listener needs four of its own. */
const LONGEST_SOCKET = 103;

/** A host, or a unix socket whose path starts at `base` where it is relative. */
function readHost(
  text: string | undefined,
  place: Place,
  base: string,
  ground: ReadContext,
): string | undefined {
  const written = text === undefined ? null : readSocketPath(text);
  if (written === null) return checkHost(text, place, ground);
  const path = resolve(base, written);
  if (/^$|\/$|\p{Cc}/u.test(written)) {
    const expected = 'expected the path of a socket, such as "unix:/run/hooklatch.sock"';
    ground.report.fault(place, `${expected}, found ${formatValue(text)}`);
  } else if (Buffer.byteLength(path) > LONGEST_SOCKET) {
    const expected = `expected a path of at most ${LONGEST_SOCKET} bytes, as the system allows for sockets`;
    ground.report.fault(place, `${expected}, found ${formatValue(path)}`);
  }
  return `unix:${path}`;
}

/** A port, where the host is not a unix socket. */
function readPort(
  { has, values, place }: Section<typeof ServerTable>,
  host: string | undefined,
  ground: ReadContext,
): number | undefined {
  if (!isSocket(host)) return has("port") ? values.port : portFromEnvironment(ground);
  if (values.port !== undefined) {
    const found = `found ${values.port}`;
    ground.report.fault(child(place, "port"), `expected none, as the host is a unix socket, ${found}`);
  }
  return 0;
}

function isSocket(host: string | undefined): boolean {
  return host !== undefined && readSocketPath(host) !== null;
}

function portFromEnvironment(ground: ReadContext): number | undefined {
  const text = readVariable("PORT", ground);
  if (text === undefined) return undefined;
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  ground.report.fault(variable("PORT"), `expected ${EXPECTED_PORT}, found ${formatValue(text)}`);
  return undefined;
}

/** The pair of files, of the environment where the file has none and does not get a certificate by itself. */
function readTls(
  { has, values, place }: Section<typeof ServerTable>,
  ground: ReadContext,
): { cert: string; key: string } | undefined {
  const { report } = ground;
  if (!has("acme")) return has("tls") ? values.tls : tlsFromEnvironment(ground);
  if (has("tls")) report.fault(child(place, "acme"), "expected it or [server.tls], found both");
  for (const name of has("tls") ? [] : ["TLS_CERT", "TLS_KEY"]) {
    if (!isSet(name, ground)) continue;
    report.fault(variable(name), "is set beside [server.acme], which gets its own certificate: unset it");
  }
  return undefined;
}

function tlsFromEnvironment(ground: ReadContext): { cert: string; key: string } | undefined {
  const [cert, key] = [readVariable("TLS_CERT", ground), readVariable("TLS_KEY", ground)];
  if (cert !== undefined && key !== undefined) return { cert, key };
  // Half a pair would mean plain HTTP for somebody who asked for TLS.
  if (cert !== undefined) ground.report.fault(variable("TLS_CERT"), "needs $TLS_KEY beside it");
  if (key !== undefined) ground.report.fault(variable("TLS_KEY"), "needs $TLS_CERT beside it");
  return undefined;
}

function resolveTls({ cert, key }: { cert: string; key: string }, base: string): Server["tls"] {
  return Object.freeze({ cert: resolve(base, cert), key: resolve(base, key) });
}

function checkProxies(proxies: readonly string[], place: Place, { report }: ReadContext): readonly string[] {
  for (const [index, proxy] of proxies.entries()) {
    if (proxy === UNIX || isAddressRange(proxy)) continue;
    report.fault(child(place, index), `expected ${EXPECTED_RANGE}, or "unix", found ${formatValue(proxy)}`);
  }
  return Object.freeze([...proxies]);
}

function checkPublicUrl(text: string | undefined, place: Place, { report }: ReadContext): string | null {
  if (text === undefined) return null;
  const url = parseHttpUrl(text);
  if (url === undefined || /[?#]/.test(text)) {
    report.fault(
      place,
      'expected a URL such as "https://hooks.example.com", without user, password, query or fragment',
    );
  }
  return text.replace(/\/+$/, "");
}

function checkRangesUrl(text: string | undefined, place: Place, { report }: ReadContext): string {
  if (text === undefined) return "https://api.github.com/meta";
  const url = parseHttpUrl(text);
  // Who can change the list on its way decides who may send.
  if (url === undefined || (url.protocol === "http:" && !isLoopback(url.hostname))) {
    report.fault(place, `expected ${EXPECTED_RANGES_URL}, without user and password`);
  }
  return text;
}
