import { findClientAddress, isWithin, parseRange, type TrustedProxy, UNIX } from "../lib/ip-address.ts";
import type { Log } from "../lib/log.ts";

/** How the address of a client is found. */
export interface ClientAddressServices {
  /** The proxies whose header with the client's address is trusted. */
  readonly trustedProxies: readonly TrustedProxy[];
  /** The name of that header. */
  readonly clientIpHeader: string;
  readonly log: Log;
}

const LOOPBACK = ["127.0.0.0/8", "::1"].map(parseRange);

/**
 * Creates a check that warns once when a local proxy forwards requests and `trusted_proxies` is empty. All senders then
 * have the proxy's address, so that authorising one sender authorises all.
 */
export function createProxyWarning(
  trusted: readonly TrustedProxy[],
  log: Log,
): (peer: string | null, headers: Headers) => void {
  let isDone = trusted.length > 0;
  return (peer, headers) => {
    if (isDone || peer === null || !headers.has("x-forwarded-for") || !isWithin(peer, LOOPBACK)) return;
    isDone = true;
    log.warn(
      { proxy: peer },
      `a proxy at ${peer} forwards requests, and all senders have its address: add it to trusted_proxies`,
    );
  };
}

/**
 * Creates the search for the client's address. It warns once when a trusted proxy does not send it: then no client behind
 * that proxy can be authorised, restricted or slowed down by address.
 */
export function createClientFinder({
  trustedProxies,
  clientIpHeader,
  log,
}: ClientAddressServices): (peer: string | null, headers: Headers) => string | null {
  let isDone = false;
  return (peer, headers) => {
    const client = findClientAddress(peer, headers.get(clientIpHeader), trustedProxies);
    const isProxy = peer !== null && (peer !== UNIX || trustedProxies.includes(UNIX));
    if (client === null && isProxy && !isDone) {
      isDone = true;
      log.warn(
        { proxy: peer, header: clientIpHeader },
        `the trusted proxy ${peer} sends no client address in ${clientIpHeader}: let it set this header, or set client_ip_header to the one it sets`,
      );
    }
    return client;
  };
}
