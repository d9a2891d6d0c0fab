import ipaddr from "ipaddr.js";
import { isLoopback } from "../../lib/ip-address.ts";
import type { ReadContext } from "./context.ts";
import { formatValue, type Place } from "./issues.ts";

/** Completes "expected …" for a host. */
export const EXPECTED_HOST = 'an address such as "127.0.0.1" or "::1", without a port';
/** Completes "expected …" for a range. */
export const EXPECTED_RANGE = 'an IP address or a range such as "10.0.0.0/8"';

/** Returns a host that a listener can use; undefined, and a fault, for other text. */
export function checkHost(
  host: string | undefined,
  place: Place,
  { issues }: ReadContext,
): string | undefined {
  if (host === undefined || isHost(host)) return host;
  issues.fault(place, `expected ${EXPECTED_HOST}, found ${formatValue(host)}`);
  return undefined;
}

/** Whether a text is an IP address or a host name. */
function isHost(text: string): boolean {
  if (/^[\d.]+$/.test(text)) return ipaddr.IPv4.isValidFourPartDecimal(text);
  return ipaddr.IPv6.isValid(text) || /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(text);
}

/** Whether listeners on these two hosts would conflict on the same port. */
export function overlap(one: string, other: string): boolean {
  return one === other || [one, other].some((host) => host === "0.0.0.0" || host === "::");
}

/** Parses an http or https URL without user and password; undefined for other text. */
export function parseHttpUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.username === "" && url.password === "" && /^https?:$/.test(url.protocol) ? url : undefined;
}

/** Warns of an http URL to another machine. */
export function warnOfPlainHttp(url: URL, place: Place, { issues }: ReadContext): void {
  if (url.protocol !== "http:" || isLoopback(url.hostname)) return;
  issues.warn(place, "is an http URL: anyone on the network path can read what is sent; use https");
}
