import ipaddr from "ipaddr.js";
import type { Place } from "./finding.ts";
import type { Ground } from "./ground.ts";

/** Reads an http or https URL. Undefined when it is none, or has a user or password in it. */
export function parseHttpUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain = url?.username === "" && url.password === "";
  return plain && /^https?:$/.test(url.protocol) ? url : undefined;
}

/** Warns of an http URL, unless it leads nowhere but to this machine. */
export function warnOfPlainHttp(url: URL, place: Place, { report }: Ground): void {
  if (url.protocol !== "http:" || isLoopback(url.hostname)) return;
  report.warn(place, "is an http URL: everybody on the way can read what is sent; better https");
}

/** Whether a URL's host is this machine. */
export function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, "");
  if (ipaddr.isValid(host)) return ipaddr.process(host).range() === "loopback";
  return /(?:^|\.)localhost$/.test(host);
}
