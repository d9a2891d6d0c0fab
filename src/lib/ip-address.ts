import { isIPv4, isIPv6 } from "node:net";
import ipaddr from "ipaddr.js";

/** A range of addresses, as `parseRange` reads it: its network, and how many leading bits of it count. */
export type Range = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

/** The peer of a connection through a unix socket, which has no address; also how one is trusted. */
export const UNIX = "unix";

/** Whose X-Forwarded-For counts: a range of addresses, or whoever connects through the unix socket. */
export type TrustedProxy = Range | typeof UNIX;

/** The path of the unix socket that `host` names, as in `unix:/run/hooklatch.sock`; null where it is another host. */
export function readSocketPath(host: string): string | null {
  return host.startsWith("unix:") ? host.slice("unix:".length) : null;
}

/** `::ffff:0:0/96` holds all IPv4 addresses (RFC 4291, section 2.5.5.2). */
const MAPPED_PREFIX = 96;

/**
 * Writes an IP address in its one normal form: IPv4-mapped IPv6 as IPv4 (a dual-stack socket reports
 * `::ffff:192.0.2.1`), IPv6 in short lower-case form (RFC 5952). Null for anything that is not a plain address, such
 * as one with a port, a zone or octal numbers.
 */
export function normaliseAddress(text: string): string | null {
  // Four plain numbers have one form only, and nearly every sender has one.
  if (isIPv4(text)) return text;
  const address = readAddress(text);
  return address === null ? null : write(address);
}

/** Whether it is an IP address or a CIDR range such as `10.0.0.0/8`, in the usual notation only. */
export function isAddressRange(text: string): boolean {
  return readRange(text) !== null;
}

/**
 * Reads `10.0.0.0/8`, `2001:db8::/32` or a bare address, which stands for itself alone. Ranges of IPv4-mapped
 * addresses are IPv4's, as the clients' addresses are. Throws on what {@link isAddressRange} is false for.
 */
export function parseRange(text: string): Range {
  const range = readRange(text);
  if (range === null) throw new Error("not an IP address or a range of them");
  return range;
}

/** Reads an entry of `trusted_proxies`: a range, or `unix`. Throws on anything else. */
export function parseTrustedProxy(text: string): TrustedProxy {
  return text === UNIX ? UNIX : parseRange(text);
}

/** Whether an address lies in one of the ranges. What is no address lies in none. */
export function isWithin(address: string, ranges: readonly Range[]): boolean {
  const read = ranges.length === 0 ? null : readAddress(address);
  return read !== null && ranges.some((range) => contains(range, read));
}

/**
 * The address of the client: the socket's peer, unless that is a trusted proxy. Then the X-Forwarded-For
 * entries are walked from the right, past trusted proxies, to the first that is not one. What stands further
 * left is the sender's own choice. An entry that is no address ends the walk at the last good hop.
 *
 * @param peer an address, or {@link UNIX}; null when the connection is gone already.
 * @param forwardedFor all X-Forwarded-For lines, joined by commas in their order.
 * @returns the normalised address; null when nobody who is believed tells one.
 */
export function findClientAddress(
  peer: string | null,
  forwardedFor: string | null,
  trusted: readonly TrustedProxy[],
): string | null {
  const ranges = trusted.filter((proxy) => proxy !== UNIX);
  let client = peer === null ? null : normaliseAddress(peer);
  let isTrusted = peer === UNIX ? trusted.includes(UNIX) : client !== null && isWithin(client, ranges);
  const entries = isTrusted ? (forwardedFor?.split(",") ?? []) : [];
  while (isTrusted) {
    const before = normaliseAddress(stripPort(entries.pop() ?? ""));
    if (before === null) break;
    client = before;
    isTrusted = isWithin(client, ranges);
  }
  return client;
}

/**
 * The address that stands for all with the same leading bits: an IPv6 address cut to `prefixV6` of them (64 to 128),
 * the others zero. IPv4 addresses, and what is no address, stay as they are.
 */
export function maskClient(address: string, prefixV6: number): string {
  if (prefixV6 >= 128 || isIPv4(address)) return address;
  const read = readAddress(address);
  if (read === null || read.kind() === "ipv4") return address;
  const bytes = read.toByteArray().map((byte, index) => {
    const kept = Math.min(8, Math.max(0, prefixV6 - 8 * index));
    return byte & (0xff00 >> kept);
  });
  return write(new ipaddr.IPv6(bytes));
}

/** By what the guesses of a client are counted: who has an IPv6 address has its whole /64. */
export function guessKey(address: string): string {
  return maskClient(address, 64);
}

/** Null for what is not written in the usual notation: the library alone reads more than that. */
function readAddress(text: string): ipaddr.IPv4 | ipaddr.IPv6 | null {
  const address = readUnmapped(text);
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

function readUnmapped(text: string): ipaddr.IPv4 | ipaddr.IPv6 | null {
  if (isIPv4(text)) return ipaddr.IPv4.parse(text);
  return isIPv6(text) && !text.includes("%") ? ipaddr.IPv6.parse(inHex(text)) : null;
}

/** The library takes `::192.0.2.1` for `::ffff:192.0.2.1`, which it is not. */
function inHex(text: string): string {
  return text.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...numbers: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = numbers.slice(0, 4).map(Number);
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
}

function readRange(text: string): Range | null {
  const [, address = "", bits] = /^([^/]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text) ?? [];
  const network = readUnmapped(address);
  if (network === null) return null;
  const width = network.kind() === "ipv4" ? 32 : 128;
  const prefix = bits === undefined ? width : Number(bits);
  if (prefix > width) return null;
  return network instanceof ipaddr.IPv6 && network.isIPv4MappedAddress() && prefix >= MAPPED_PREFIX
    ? [network.toIPv4Address(), prefix - MAPPED_PREFIX]
    : [network, prefix];
}

function contains([network, bits]: Range, address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  return address.kind() === network.kind() && address.match([network, bits]);
}

function write(address: ipaddr.IPv4 | ipaddr.IPv6): string {
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
}

/** Some proxies write `192.0.2.1:4711` or `[2001:db8::1]:4711`. */
function stripPort(entry: string): string {
  const text = entry.trim();
  return /^\[([^\]]*:[^\]]*)\](?::\d{1,5})?$/.exec(text)?.[1] ?? /^([\d.]+):\d{1,5}$/.exec(text)?.[1] ?? text;
}
