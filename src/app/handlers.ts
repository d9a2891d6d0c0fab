import type { Config } from "../config/load.ts";
import { authorise } from "../flow/authorise.ts";
import { createOperator } from "../flow/operator.ts";
import { receive } from "../flow/receive.ts";
import { replay } from "../flow/replay.ts";
import { createRouter } from "../flow/route-delivery.ts";
import { type AdminServices, createAdmin } from "../http/admin/index.ts";
import { createBodyBudget } from "../http/body-budget.ts";
import { createPublic, type PublicListener } from "../http/public.ts";
import { parseTrustedProxy } from "../lib/ip-address.ts";
import { createThrottledLog } from "../lib/log.ts";
import { equalInConstantTime } from "../providers/hmac.ts";
import { collectGarbage } from "../runtime/index.ts";
import { readDisks } from "./disks.ts";
import { releasesOf } from "./releases.ts";
import type { Services } from "./services.ts";

/** The request handlers of both listeners for one configuration. A reload replaces them. */
export interface Handlers {
  readonly public: PublicListener;
  readonly admin: HandleAdmin;
}

/** Handles a request to the admin listener, given the address or host name that it listens on, and the client's. */
export type HandleAdmin = ReturnType<typeof createAdmin>;

/** The state of the server, which does not depend on the configuration. */
export interface ServerState extends Pick<AdminServices, "metrics" | "closing"> {
  readonly about: () => Omit<ReturnType<AdminServices["about"]>, "publicUrl">;
  /** False while the public listener waits for its first certificate. */
  readonly isListening: () => boolean;
}

/** Creates the request handlers of a configuration. `replaced` ends the event streams of the admin listener. */
export function createHandlers(
  config: Config,
  services: Services,
  state: ServerState,
  replaced: AbortSignal,
): Handlers {
  const { sources, targets, server } = config;
  const { store, clock, log } = services;
  const targetsBySource = Map.groupBy(targets, (target) => target.source);
  const targetsOf = (source: { readonly name: string }) => targetsBySource.get(source.name) ?? [];
  const flowServices = { ...services, routeDelivery: createRouter({ ...services, targetsOf }) };
  const canWrite = () =>
    store.probe(clock.now()).then(
      () => true,
      () => false,
    );
  return {
    public: createPublic({
      ...services,
      sources,
      maxBody: server.maxBody,
      bodyBudget: createBodyBudget(server.maxUnverified, collectGarbage),
      trustedProxies: server.trustedProxies.map(parseTrustedProxy),
      clientIpHeader: server.clientIpHeader,
      isAllowed: services.ipAllowlist.isAllowed,
      logErrorThrottled: createThrottledLog(log, clock, "error"),
      receive: (source, request) => receive(source, request, flowServices),
      authorise: (source, handshake, request) => authorise(source, handshake, request, flowServices),
      count: state.metrics.count,
      closing: state.closing,
    }),
    admin: createAdmin({
      ...services,
      ...state,
      sources,
      targets,
      releasesOf,
      token: config.admin.token,
      hosts: config.admin.hosts,
      dashboard: config.admin.dashboard,
      closing: AbortSignal.any([state.closing, replaced]),
      readDisks: () => readDisks([config.dataDir, ...targets.map(({ directory }) => directory)]),
      equal: equalInConstantTime,
      operator: createOperator({ ...services, releasesOf }),
      replay: (id) => replay(id, sources, flowServices),
      canAccept: async () => state.isListening() && canWrite(),
      about: () => ({ ...state.about(), publicUrl: server.publicUrl }),
    }),
  };
}
