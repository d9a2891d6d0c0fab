import { isWithin, parseRange, type TrustedProxy } from "../lib/ip-address.ts";
import type { Log } from "../lib/log.ts";

const LOOPBACK = ["127.0.0.0/8", "::1"].map(parseRange);

/**
 * Says once in the log that a proxy on this machine passes requests on and is not in `trusted_proxies`, where nobody is:
 * all senders have its address then, so that one who is admitted admits them all. `peer` is as in `findClientAddress`.
 */
export function createProxyWarning(
  trusted: readonly TrustedProxy[],
  log: Log,
): (peer: string | null, headers: Headers) => void {
  let isOver = trusted.length > 0;
  return (peer, headers) => {
    if (isOver || peer === null || !headers.has("x-forwarded-for") || !isWithin(peer, LOOPBACK)) return;
    isOver = true;
    log.warn(
      { proxy: peer },
      `a proxy at ${peer} passes requests on, and all senders have its address: name it in trusted_proxies`,
    );
  };
}
