import { resolve } from "node:path";
import { EXPECTED_HOST, isAddressRange, isHost } from "./address.ts";
import { type Place, under, variable } from "./finding.ts";
import { describeFound } from "./found.ts";
import { type Ground, readVariable } from "./ground.ts";
import { LONGEST_TIMER, limitDuration } from "./limit.ts";
import { EXPECTED_PORT, type ServerTable } from "./schema.ts";
import type { Section } from "./section.ts";
import { parseHttpUrl } from "./url.ts";

const MIB = 1024 ** 2;

/** The public listener's part of the configuration. */
export interface Server {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** In bytes. */
  readonly maxBody: number;
  /** Bytes held in all for requests whose senders are not verified yet. */
  readonly maxUnverified: number;
  /** IP addresses and CIDR ranges whose X-Forwarded-For counts. */
  readonly trustedProxies: readonly string[];
  /** Without a slash at its end; for messages and links only. */
  readonly publicUrl: string | null;
  /** In milliseconds. */
  readonly shutdownGrace: number;
  /** Milliseconds between two looks at what the targets' branches are at; null for none after the start. */
  readonly catchUpEvery: number | null;
  /** Absolute paths of PEM files; null for plain HTTP. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
}

/** `[server]`, from the environment where the file is silent, with defaults for the rest. */
export function resolveServer(section: Section<typeof ServerTable>, ground: Ground): Server {
  const { values, place } = section;
  limitDuration(values.shutdown_grace, LONGEST_TIMER, under(place, "shutdown_grace"), ground);
  const tls = section.has("tls") ? values.tls : tlsFromEnvironment(ground);
  const host = section.has("host")
    ? checkHost(values.host, under(place, "host"), ground)
    : checkHost(readVariable("HOST", ground), variable("HOST"), ground);
  const port = section.has("port") ? values.port : portFromEnvironment(ground);
  const { max_body: maxBody = 25 * MIB, max_unverified: maxUnverified = Math.max(256 * MIB, maxBody) } =
    values;
  if (maxUnverified < maxBody) {
    ground.report.fault(under(place, "max_unverified"), "expected room for at least one body of max_body");
  }
  return Object.freeze({
    host: host ?? (tls === undefined ? "127.0.0.1" : "0.0.0.0"),
    port: port ?? 9000,
    maxBody,
    maxUnverified,
    trustedProxies: checkProxies(values.trusted_proxies ?? [], under(place, "trusted_proxies"), ground),
    publicUrl: checkPublicUrl(values.public_url, under(place, "public_url"), ground),
    shutdownGrace: values.shutdown_grace ?? 30_000,
    catchUpEvery: readInterval(values.catch_up_every, under(place, "catch_up_every"), ground),
    tls: tls === undefined ? null : resolveTls(tls, section.has("tls") ? ground.directory : ground.cwd),
  });
}

function readInterval(written: number | "off" | undefined, place: Place, ground: Ground): number | null {
  if (written === "off") return null;
  limitDuration(written, LONGEST_TIMER, place, ground);
  return written ?? 15 * 60_000;
}

/** The host itself where it can be one, else a fault. Undefined stays undefined. */
export function checkHost(host: string | undefined, place: Place, { report }: Ground): string | undefined {
  if (host === undefined || isHost(host)) return host;
  report.fault(place, `expected ${EXPECTED_HOST}, found ${describeFound(host)}`);
  return undefined;
}

function portFromEnvironment(ground: Ground): number | undefined {
  const text = readVariable("PORT", ground);
  if (text === undefined) return undefined;
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  ground.report.fault(variable("PORT"), `expected ${EXPECTED_PORT}, found ${describeFound(text)}`);
  return undefined;
}

function tlsFromEnvironment(ground: Ground): { cert: string; key: string } | undefined {
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

function checkProxies(proxies: readonly string[], place: Place, { report }: Ground): readonly string[] {
  for (const [index, proxy] of proxies.entries()) {
    if (isAddressRange(proxy)) continue;
    const found = describeFound(proxy);
    report.fault(
      under(place, index),
      `expected an IP address or a range such as "10.0.0.0/8", found ${found}`,
    );
  }
  return Object.freeze([...proxies]);
}

function checkPublicUrl(text: string | undefined, place: Place, { report }: Ground): string | null {
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
