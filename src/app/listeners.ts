import type { Config } from "../config/load.ts";
import { type Listener, openListener } from "../http/server/listen.ts";
import type { Log } from "../lib/log.ts";
import type { HandleAdmin } from "./handlers.ts";

/** Bytes of the largest request body on the admin listener. */
const MAX_ADMIN_BODY = 64 * 1024;

/**
 * Opens the admin listener. Resolves with null when its default port is in use, because the server can accept deliveries
 * without it. Rejects when a configured port is.
 */
export async function openAdmin({ admin }: Config, handle: HandleAdmin, log: Log): Promise<Listener | null> {
  const handleOwn = (request: Request, peer: string | null) => handle(request, admin.host, peer);
  try {
    return await openListener({ ...admin, maxBody: MAX_ADMIN_BODY, certificate: null, handle: handleOwn });
  } catch (error) {
    if (admin.isConfigured) throw error;
    log.warn({ err: error }, "admin listener not started: set [admin] port to a free port");
    return null;
  }
}

/** Logs the addresses of the listeners. */
export function logListeners({ sources, targets }: Config, url: URL, adminUrl: URL | null, log: Log): void {
  const defaultPort = url.protocol === "https:" ? 443 : 80;
  const fields = {
    url: url.href,
    // A unix socket has none.
    port: url.protocol === "unix:" ? null : Number(url.port || defaultPort),
    admin_url: adminUrl?.href ?? null,
    sources: sources.map(({ path }) => path),
    targets: targets.length,
  };
  log.info(fields, `listening on ${url.href}`);
}
