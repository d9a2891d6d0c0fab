import ipaddr from "ipaddr.js";
import type { ReadContext } from "./context.ts";
import type { Place } from "./issues.ts";

/** Words for faults. */
export const EXPECTED_HOST = 'an address such as "127.0.0.1" or "::1", without a port';
/** Words for faults. */
export const EXPECTED_RANGE = 'an IP address or a range such as "10.0.0.0/8"';

/** Whether a listener can be bound to it: an IP address or a host name. */
export function isHost(text: string): boolean {
  if (/^[\d.]+$/.test(text)) return ipaddr.IPv4.isValidFourPartDecimal(text);
  return ipaddr.IPv6.isValid(text) || /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(text);
}

/** Whether two listeners on the same port would be in each other's way. */
export function overlap(one: string, other: string): boolean {
  return one === other || [one, other].some((host) => host === "0.0.0.0" || host === "::");
}

/** Reads an http or https URL. Undefined when it is none, or has a user or password in it. */
export function parseHttpUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain = url?.username === "" && url.password === "";
  return plain && /^https?:$/.test(url.protocol) ? url : undefined;
}

/** Warns of an http URL, unless it leads nowhere but to this machine. */
export function warnOfPlainHttp(url: URL, place: Place, { report }: ReadContext): void {
  if (url.protocol !== "http:" || isLoopback(url.hostname)) return;
  report.warn(place, "is an http URL: everybody on the way can read what is sent; better https");
}

/** Whether a URL's host is this machine. */
export function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, "");
  if (ipaddr.isValid(host)) return ipaddr.process(host).range() === "loopback";
  return /(?:^|\.)localhost$/.test(host);
}
