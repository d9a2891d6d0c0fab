import { isIPv4 } from "node:net";
import ipaddr from "ipaddr.js";

/** A range of addresses, as `parseRange` reads it. */
export type Range = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

/**
 * Writes an IP address in its one normal form: IPv4-mapped IPv6 as IPv4 (a dual-stack socket reports
 * `::ffff:192.0.2.1`), IPv6 in short lower-case form (RFC 5952). Null for anything that is not a plain address.
 */
export function normaliseAddress(text: string): string | null {
  // Four plain numbers have one form only, and nearly every sender has one.
  if (isIPv4(text)) return text;
  const address = parseAddress(text);
  if (address === null) return null;
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
}

/**
 * Reads `10.0.0.0/8`, `2001:db8::/32` or a bare address, which stands for itself alone. Ranges of IPv4-mapped
 * addresses are IPv4's, as the clients' addresses are. Throws on anything else.
 */
export function parseRange(text: string): Range {
  const [network, bits] = text.includes("/") ? ipaddr.parseCIDR(text) : [ipaddr.parse(text), null];
  if (network instanceof ipaddr.IPv6 && network.isIPv4MappedAddress() && (bits ?? 128) >= MAPPED_PREFIX) {
    return [network.toIPv4Address(), (bits ?? 128) - MAPPED_PREFIX];
  }
  return [network, bits ?? (network.kind() === "ipv4" ? 32 : 128)];
}

/** `::ffff:0:0/96` holds all IPv4 addresses (RFC 4291, section 2.5.5.2). */
const MAPPED_PREFIX = 96;

/**
 * The address of the client: the socket's peer, unless that is a trusted proxy. Then the X-Forwarded-For
 * entries are walked from the right, past trusted proxies, to the first that is not one. What stands further
 * left is the sender's own choice. An entry that is no address ends the walk at the last good hop.
 *
 * @param forwardedFor all X-Forwarded-For lines, joined by commas in their order.
 */
export function findClientAddress(
  peer: string | null,
  forwardedFor: string | null,
  trusted: readonly Range[],
): string | null {
  let client = peer === null ? null : normaliseAddress(peer);
  const entries = forwardedFor?.split(",") ?? [];
  while (client !== null && isWithin(client, trusted)) {
    const before = normaliseAddress(stripPort(entries.pop() ?? ""));
    if (before === null) break;
    client = before;
  }
  return client;
}

function isWithin(address: string, ranges: readonly Range[]): boolean {
  if (ranges.length === 0) return false;
  const parsed = ipaddr.parse(address);
  return ranges.some(([network, bits]) => parsed.kind() === network.kind() && parsed.match([network, bits]));
}

function parseAddress(text: string): ipaddr.IPv4 | ipaddr.IPv6 | null {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  if (!ipaddr.IPv6.isValid(text) || text.includes("%")) return null;
  const address = ipaddr.IPv6.parse(text);
  return address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

/** Some proxies write `192.0.2.1:4711` or `[2001:db8::1]:4711`. */
function stripPort(entry: string): string {
  const text = entry.trim();
  return /^\[(.*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
}
