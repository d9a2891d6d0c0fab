import type { Config } from "../config/load.ts";
import type { Log } from "../domain/log.ts";
import type { Listener } from "../http/listen.ts";

/** Says in the log where the server listens, and what for. */
export function describeListeners(
  { sources, targets }: Config,
  { url }: Listener,
  admin: Listener | null,
  log: Log,
): void {
  log.info(
    {
      url: url.href,
      port: portOf(url),
      admin_url: admin?.url.href ?? null,
      sources: sources.map(({ path }) => path),
      targets: targets.length,
    },
    `listening on ${url.href}`,
  );
}

/** Null for a unix socket. */
function portOf({ protocol, port }: URL): number | null {
  if (protocol === "unix:") return null;
  return Number(port || (protocol === "https:" ? 443 : 80));
}
