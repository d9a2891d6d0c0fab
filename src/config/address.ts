import ipaddr from "ipaddr.js";

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
