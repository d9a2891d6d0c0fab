import type { Config } from "../config/load.ts";
import { parseTrustedProxy } from "../domain/address.ts";
import { authorise } from "../flow/authorise.ts";
import { complainSparingly } from "../flow/complain.ts";
import { rememberOutcomes } from "../flow/decide.ts";
import { receive } from "../flow/receive.ts";
import { replay } from "../flow/replay.ts";
import { collectGarbage } from "../http/listen.ts";
import type { Metrics } from "../http/metrics.ts";
import { createPublic } from "../http/public.ts";
import { boundUnverified } from "../http/unverified.ts";
import type { Engine } from "./engine.ts";

/** Wires what answers on the public listener, and what runs a kept delivery again as it would. */
export function wirePublic({ sources, targets, server }: Config, engine: Engine, metrics: Metrics) {
  const { store, clock, log, print, worker, locks, broadcast, guesses, allowances } = engine;
  const targetsBySource = Map.groupBy(targets, (target) => target.source);
  const targetsOf = (source: { readonly name: string }) => targetsBySource.get(source.name) ?? [];
  const decide = rememberOutcomes({ targetsOf, locks, clock });
  const complain = complainSparingly(log, clock);
  const { publish } = broadcast;
  const tools = { store, clock, log, complain, decide, guesses, print, publish, wake: worker.wake };
  return {
    listener: createPublic({
      sources,
      maxBody: server.maxBody,
      unverified: boundUnverified(server.maxUnverified, collectGarbage),
      trustedProxies: server.trustedProxies.map(parseTrustedProxy),
      isAllowed: allowances.isAllowed,
      complain,
      complainOfFault: complainSparingly(log, clock, "error"),
      receive: (source, request) => receive(source, request, tools),
      authorise: (source, handshake, request) => authorise(source, handshake, request, tools),
      count: metrics.count,
      log,
    }),
    replay: (id: number) => replay(id, sources, tools),
  };
}
