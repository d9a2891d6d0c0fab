import { isIPv4, isIPv6 } from "node:net";
import ipaddr from "ipaddr.js";

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** A range of addresses: its network and the number of leading bits that count. */
export type Range = readonly [Address, number];

/** The peer of a connection through a unix socket, which has no address. `trusted_proxies` uses the same word. */
export const UNIX = "unix";

/** A proxy whose header with the client's address is trusted: a range of addresses, or every peer of the unix socket. */
export type TrustedProxy = Range | typeof UNIX;

/** The path in a host such as `unix:/run/hooklatch.sock`; null for a host that is not a unix socket. */
export function readSocketPath(host: string): string | null {
  return host.startsWith("unix:") ? host.slice("unix:".length) : null;
}

/** `::ffff:0:0/96` holds all IPv4 addresses (RFC 4291, section 2.5.5.2). */
const MAPPED_PREFIX = 96;

/**
 * Writes an IP address in its normal form: IPv4-mapped IPv6 as IPv4, since a dual-stack socket reports
 * `::ffff:192.0.2.1`, and IPv6 in short lower-case form (RFC 5952). Returns null for other text, such as an address
 * with a port, a zone or octal numbers.
 */
export function normaliseAddress(text: string): string | null {
  // Dotted decimal has one form only, and most clients use it.
  if (isIPv4(text)) return text;
  const address = parseAddress(text);
  return address === null ? null : formatAddress(address);
}

/** Whether a text is an IP address, or a CIDR range such as `10.0.0.0/8`. */
export function isAddressRange(text: string): boolean {
  return tryParseRange(text) !== null;
}

/**
 * Parses `10.0.0.0/8`, `2001:db8::/32`, or an address as the range of itself. Ranges of IPv4-mapped addresses become
 * IPv4 ranges, as client addresses do. Throws when {@link isAddressRange} is false.
 */
export function parseRange(text: string): Range {
  const range = tryParseRange(text);
  if (range === null) throw new Error("not an IP address or range");
  return range;
}

/** Parses an entry of `trusted_proxies`: a range or `unix`. Throws on other text. */
export function parseTrustedProxy(text: string): TrustedProxy {
  return text === UNIX ? UNIX : parseRange(text);
}

/** Whether an address is in one of the ranges; false for text that is not an address. */
export function isWithin(address: string, ranges: readonly Range[]): boolean {
  const parsed = ranges.length === 0 ? null : parseAddress(address);
  return parsed !== null && ranges.some((range) => contains(range, parsed));
}

/**
 * Finds the client's address. It is the peer, unless the peer is a trusted proxy; then it is the last entry of the
 * proxy's header that is not a trusted proxy. The client itself chooses what is left of that entry. Where the header is
 * missing, or a trusted proxy reports something else than an address, such as `unknown`, the address is not known: the
 * proxy's own address would stand for all of its clients.
 *
 * @param peer the socket's address or {@link UNIX}; null when the connection is closed.
 * @param forwarded all headers of that name in order, joined by commas.
 * @returns the normalised address; null when no trusted party reports one.
 */
export function findClientAddress(
  peer: string | null,
  forwarded: string | null,
  trusted: readonly TrustedProxy[],
): string | null {
  const direct = peer === null ? null : normaliseAddress(peer);
  if (trusted.length === 0) return direct;
  const ranges = trusted.filter((proxy) => proxy !== UNIX);
  const isTrusted = peer === UNIX ? trusted.includes(UNIX) : direct !== null && isWithin(direct, ranges);
  if (!isTrusted) return direct;
  for (const entry of (forwarded ?? "").split(",").reverse()) {
    const client = normaliseAddress(stripPort(entry));
    if (client === null || !isWithin(client, ranges)) return client;
  }
  return null;
}

/**
 * Zeroes all but the first `prefixV6` bits (64 to 128) of an IPv6 address, so that one subnet is one client. IPv4
 * addresses and other text stay as they are.
 */
export function maskClient(address: string, prefixV6: number): string {
  if (prefixV6 >= 128 || isIPv4(address)) return address;
  const parsed = parseAddress(address);
  if (parsed === null || parsed.kind() === "ipv4") return address;
  const bytes = parsed.toByteArray().map((byte, index) => {
    const bits = Math.min(8, Math.max(0, prefixV6 - 8 * index));
    return byte & (0xff00 >> bits);
  });
  return formatAddress(new ipaddr.IPv6(bytes));
}

/** The key under which a client's failed attempts are counted: one IPv6 host usually has a whole /64. */
export function guessKey(address: string): string {
  return maskClient(address, 64);
}

/** Whether the host of a URL or listener is this machine: a loopback address or a name in `localhost`. */
export function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, "");
  if (ipaddr.isValid(host)) return ipaddr.process(host).range() === "loopback";
  return /(?:^|\.)localhost$/.test(host);
}

/**
 * The origin at which this machine reaches its own listener, such as `http://127.0.0.1:9000`. A listener on all
 * addresses is reached on loopback. IPv6 addresses get brackets (RFC 3986, section 3.2.2).
 */
export function localOrigin(
  protocol: "http" | "https",
  { host, port }: { readonly host: string; readonly port: number },
): string {
  const reached = LOOPBACK_OF[host] ?? host;
  return `${protocol}://${reached.includes(":") ? `[${reached}]` : reached}:${port}`;
}

const LOOPBACK_OF: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/** Null for an address in an unusual notation: the library alone accepts more. */
function parseAddress(text: string): Address | null {
  const address = parseLiteral(text);
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

function parseLiteral(text: string): Address | null {
  if (isIPv4(text)) return ipaddr.IPv4.parse(text);
  return isIPv6(text) && !text.includes("%") ? ipaddr.IPv6.parse(withoutDottedPart(text)) : null;
}

/** Writes the dotted end of `::192.0.2.1` in hex, because the library mistakes it for `::ffff:192.0.2.1`. */
function withoutDottedPart(text: string): string {
  return text.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...numbers: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = numbers.slice(0, 4).map(Number);
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
}

function tryParseRange(text: string): Range | null {
  const [, address = "", bits] = /^([^/]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text) ?? [];
  const network = parseLiteral(address);
  if (network === null) return null;
  const width = network.kind() === "ipv4" ? 32 : 128;
  const prefix = bits === undefined ? width : Number(bits);
  if (prefix > width) return null;
  return network instanceof ipaddr.IPv6 && network.isIPv4MappedAddress() && prefix >= MAPPED_PREFIX
    ? [network.toIPv4Address(), prefix - MAPPED_PREFIX]
    : [network, prefix];
}

function contains([network, bits]: Range, address: Address): boolean {
  return address.kind() === network.kind() && address.match([network, bits]);
}

function formatAddress(address: Address): string {
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
}

/** Some proxies write `192.0.2.1:4711` or `[2001:db8::1]:4711`. */
function stripPort(entry: string): string {
  const text = entry.trim();
  return /^\[([^\]]*:[^\]]*)\](?::\d{1,5})?$/.exec(text)?.[1] ?? /^([\d.]+):\d{1,5}$/.exec(text)?.[1] ?? text;
}
