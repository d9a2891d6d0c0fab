import { normaliseAddress } from "../../lib/ip-address.ts";

/** On which a listener has every address of its machine, as normal forms. */
const EVERYWHERE = ["0.0.0.0", "::"];

/**
 * Recognises the Host headers that are the own ones of a listener at `host`, by whatever port: a tunnel has one of its
 * own. They are that address or name and `localhost`, and every address for a listener that is on all of them. A page that
 * somebody else's DNS name brought here has that name in Host (DNS rebinding), never an address.
 */
export function createHostCheck(host: string): (header: string) => boolean {
  const own = normalise(host);
  const isEverywhere = EVERYWHERE.includes(own);
  return (header) => {
    const [, written = ""] = /^(\[[^\]]*\]|[^:]*)(?::\d*)?$/.exec(header) ?? [];
    const named = normalise(written.replace(/^\[(.*)\]$/, "$1"));
    return named === own || named === "localhost" || (isEverywhere && normaliseAddress(named) !== null);
  };
}

function normalise(host: string): string {
  return normaliseAddress(host) ?? host.toLowerCase();
}
