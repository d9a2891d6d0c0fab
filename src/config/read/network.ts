import ipaddr from "ipaddr.js";
import { isLoopback } from "../../lib/ip-address.ts";
import type { ReadContext } from "./context.ts";
import type { IssueList, Place } from "./issues.ts";

/** Completes "expected …" for a host. */
export const EXPECTED_HOST = 'an address such as "127.0.0.1" or "::1", without a port';

/** Whether a text is an IP address or a host name. */
export function isHost(text: string): boolean {
  if (/^[\d.]+$/.test(text)) return ipaddr.IPv4.isValidFourPartDecimal(text);
  return ipaddr.IPv6.isValid(text) || /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(text);
}

/** A listener that a configuration sets up. */
export interface ConfiguredListener {
  /** For messages, such as `the admin listener`. */
  readonly name: string;
  readonly host: string;
  /** 0 conflicts with no other. */
  readonly port: number;
  /** The place of its port. */
  readonly place: Place;
}

/** Reports every listener whose port an earlier one has. */
export function checkPorts(listeners: readonly ConfiguredListener[], issues: IssueList): void {
  for (const [index, { host, port, place }] of listeners.entries()) {
    const owner = listeners
      .slice(0, index)
      .find((earlier) => port !== 0 && earlier.port === port && overlap(earlier.host, host));
    if (owner !== undefined) {
      issues.fault(place, `${owner.name} already uses port ${port}: choose another port`);
    }
  }
}

function overlap(one: string, other: string): boolean {
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
