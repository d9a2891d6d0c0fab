import type { Config } from "../config/load.ts";
import { layouts } from "../deploy/layouts/index.ts";
import type { Layout } from "../domain/layout.ts";
import type { Store } from "../domain/store.ts";
import type { Target } from "../domain/target.ts";
import { createOperator } from "../flow/operator.ts";
import { type AdminServices, createAdmin, createHostCheck } from "../http/admin/index.ts";
import { type Listener, openListener } from "../http/server/listen.ts";
import type { Log } from "../lib/log.ts";
import { equalInConstantTime } from "../providers/hmac.ts";
import type { Services } from "./services.ts";

/** Responds to a request, given what recognises the admin listener's own Host headers. */
export type HandleAdmin = ReturnType<typeof createAdmin>;

/** What the admin listener needs besides the services and the configuration. */
export interface AdminParts extends Pick<AdminServices, "metrics" | "replay" | "about" | "closing"> {
  readonly isListening: () => boolean;
}

/** In bytes: the largest body that the admin listener reads. */
const MAX_BODY = 64 * 1024;

/** Wires what responds on the admin listener. */
export function wireAdmin(
  { admin, sources, targets }: Config,
  services: Services,
  { isListening, ...parts }: AdminParts,
): HandleAdmin {
  const { store, clock, log, locks, worker, eventBus } = services;
  return createAdmin({
    token: admin.token,
    equal: equalInConstantTime,
    log,
    clock,
    sources,
    targets,
    store,
    eventBus,
    releasesOf,
    operator: createOperator({
      store,
      clock,
      log,
      targets: () => targets,
      locks,
      worker,
      publish: eventBus.publish,
      releasesOf,
    }),
    canAccept: () => (isListening() ? canWrite(store, clock.now()) : Promise.resolve(false)),
    ...parts,
  });
}

function canWrite(store: Store, now: Date): Promise<boolean> {
  return store.probe(now).then(
    () => true,
    () => false,
  );
}

/** The names of the target's complete releases, newest first; null where its layout has none, or it has no git step. */
async function releasesOf({ repository, layout, directory }: Target): Promise<readonly string[] | null> {
  const known: Readonly<Record<string, Layout>> = layouts;
  return repository === null ? null : ((await known[layout]?.releasesOf?.(directory)) ?? null);
}

/**
 * Opens the admin listener. Null when its default port is taken: that deliveries are accepted matters more than that
 * people can look at the server. A configured port that is taken throws.
 */
export async function openAdmin({ admin }: Config, handle: HandleAdmin, log: Log): Promise<Listener | null> {
  const isOwnHost = createHostCheck(admin.host);
  try {
    return await openListener({
      ...admin,
      maxBody: MAX_BODY,
      certificate: null,
      handle: (request) => handle(request, isOwnHost),
    });
  } catch (error) {
    if (admin.isConfigured) throw error;
    log.warn({ err: error }, "no admin listener: set [admin] port to a free one");
    return null;
  }
}
