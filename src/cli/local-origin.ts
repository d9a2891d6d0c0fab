/**
 * Where a listener of this machine is reached, such as `http://127.0.0.1:9000`: one that listens on all addresses
 * is reached on loopback, and an IPv6 address stands in brackets (RFC 3986, section 3.2.2).
 */
export function localOrigin(
  protocol: "http" | "https",
  { host, port }: { host: string; port: number },
): string {
  const reached = EVERYWHERE[host] ?? host;
  return `${protocol}://${reached.includes(":") ? `[${reached}]` : reached}:${port}`;
}

const EVERYWHERE: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };
