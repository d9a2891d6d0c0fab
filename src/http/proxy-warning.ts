import { isWithin, parseRange, type TrustedProxy } from "../lib/ip-address.ts";
import type { Log } from "../lib/log.ts";

const LOOPBACK = ["127.0.0.0/8", "::1"].map(parseRange);

/**
 * Creates what warns once that a proxy on this machine forwards requests while `trusted_proxies` is empty: every sender
 * then has the proxy's address, so that authorising one authorises all. `peer` is as in `findClientAddress`.
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
