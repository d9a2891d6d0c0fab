import { Type } from "@sinclair/typebox";
import { ApiQueued, toApiQueued } from "../../api/deployment.ts";
import { Conflict, NotFound } from "../../api/problem.ts";
import {
  ApiLocked,
  ApiTarget,
  ApiTargetDetails,
  ApiUnlocked,
  type HostStatus,
  toApiLock,
  toApiTarget,
} from "../../api/target.ts";
import { type Host, listHostsOf } from "../../domain/host.ts";
import type { Page } from "../../domain/page.ts";
import { queuesEveryDelivery, type Target } from "../../domain/target.ts";
import { parseDuration } from "../../lib/duration.ts";
import { DurationText, jsonBody, Line, NameText, readRange } from "./request.ts";
import { createRoutes, describeList, describeRoute } from "./route.ts";
import type { AdminServices } from "./services.ts";

const params = Type.Object({ name: NameText });
const UNKNOWN = { status: "not found", reason: "there is no such target" };
const CommitText = Type.String({
  pattern: "^[0-9a-fA-F]{7,64}$",
  expected: "7 to 64 hex digits of a commit",
});
const Force = Type.Boolean({ description: "deploy even if the target is locked", expected: "true or false" });

const NEWEST = { limit: 1, before: null };

/** The routes that show and operate targets. */
export function targets({ store, operator, clock, releasesOf, targets }: AdminServices) {
  const byName = new Map(targets.map((target) => [target.name, target]));
  const { fleet } = store;
  const readStatus = async (target: string, host: string): Promise<HostStatus> => {
    const filter = { target, state: "succeeded", source: null, host } as const;
    const [status, succeeded] = await Promise.all([
      store.readTargetStatus(target, clock.now(), host),
      store.listDeployments(filter, NEWEST),
    ]);
    return { status, deployed: succeeded.items[0] ?? null };
  };
  const listHosts = async () => (await fleet?.listHosts()) ?? null;
  const describe = async (target: Target, hosts: readonly Host[] | null) => {
    if (hosts === null) return toApiTarget(target, await readStatus(target.name, store.host), null);
    const read = async (name: string) => {
      const host = hosts.find((each) => each.name === name) ?? null;
      return { name, host, ...(await readStatus(target.name, name)) };
    };
    const own = await Promise.all(listHostsOf(target, hosts).map(read));
    const shown = own.find(({ name }) => name === store.host) ?? own[0] ?? (await read(store.host));
    return toApiTarget(target, shown, own);
  };
  const isOn = (target: Target, host: string | undefined, hosts: readonly Host[] | null) =>
    host === undefined || (hosts === null ? host === store.host : listHostsOf(target, hosts).includes(host));

  return createRoutes()
    .get(
      "/api/targets",
      async ({ query }) => {
        const hosts = await listHosts();
        const { items, next } = takePage(targets, query, (target) => isOn(target, query.host, hosts));
        return { items: await Promise.all(items.map((target) => describe(target, hosts))), next };
      },
      describeList("targets", "List targets, in the order of the configuration", ApiTarget, {
        source: Type.Optional(NameText),
        target: Type.Optional(NameText),
        host: Type.Optional(NameText),
      }),
    )
    .get(
      "/api/targets/:name",
      async ({ params, status }) => {
        const target = byName.get(params.name);
        if (target === undefined) return status(404, UNKNOWN);
        const described = await describe(target, await listHosts());
        const { hosts } = described;
        const shown = hosts?.find(({ host }) => host === store.host) ?? hosts?.[0];
        const releases = shown === undefined ? await releasesOf(target) : shown.releases;
        return { ...described, releases: releases && [...releases] };
      },
      {
        params,
        ...describeRoute("targets", "Show a target and its releases", {
          200: ApiTargetDetails,
          404: NotFound,
        }),
      },
    )
    .post(
      "/api/targets/:name/deploy",
      async ({ params, body, status }) => {
        const { commit = null, force = false } = body;
        const outcome = await operator.deploy(params.name, { commit, force });
        if (outcome.kind === "unknown target") return status(404, UNKNOWN);
        if (outcome.kind === "queued") return status(202, toApiQueued(outcome.deployments));
        return status(409, { status: outcome.kind, reason: outcome.reason });
      },
      {
        params,
        ...jsonBody({ commit: Type.Optional(CommitText), force: Type.Optional(Force) }),
        ...describeRoute("targets", "Deploy the tip, or a commit", {
          202: ApiQueued,
          404: NotFound,
          409: Conflict,
        }),
      },
    )
    .post(
      "/api/targets/:name/rollback",
      async ({ params, body, status }) => {
        const outcome = await operator.rollback(params.name, body.release ?? null);
        if (outcome.kind === "unknown target") return status(404, UNKNOWN);
        if (outcome.kind === "queued") return status(202, toApiQueued(outcome.deployments));
        return status(409, { status: outcome.kind, reason: outcome.reason });
      },
      {
        params,
        ...jsonBody({ release: Type.Optional(NameText) }),
        ...describeRoute("targets", "Roll back to the previous release, or to a named one", {
          202: ApiQueued,
          404: NotFound,
          409: Conflict,
        }),
      },
    )
    .post(
      "/api/targets/:name/lock",
      async ({ params, body, status }) => {
        const target = byName.get(params.name);
        if (target === undefined) return status(404, UNKNOWN);
        const { reason, by = "admin" } = body;
        const milliseconds = body.for === undefined ? null : parseDuration(body.for);
        const outcome = await operator.lock(target.name, { reason, by, milliseconds });
        if (outcome.kind === "unknown target") return status(404, UNKNOWN);
        const deliveries = queuesEveryDelivery(target) ? ("queued" as const) : ("held" as const);
        const replaced = outcome.replaced && toApiLock(outcome.replaced);
        return {
          status: "locked" as const,
          target: await describe(target, await listHosts()),
          deliveries,
          replaced,
        };
      },
      {
        params,
        ...jsonBody({ reason: Line, by: Type.Optional(Line), for: Type.Optional(DurationText) }),
        ...describeRoute("targets", "Prevent deliveries from deploying a target", {
          200: ApiLocked,
          404: NotFound,
        }),
      },
    )
    .post(
      "/api/targets/:name/unlock",
      async ({ params, status }) => {
        const outcome = await operator.unlock(params.name);
        if (outcome.kind === "unknown target") return status(404, UNKNOWN);
        if (outcome.kind === "not locked") return status(409, { status: "not locked" });
        const { deployment, reason } = outcome;
        return status(200, { status: "unlocked", deployment, reason });
      },
      {
        params,
        ...jsonBody({}),
        ...describeRoute("targets", "Unlock a target and deploy what the lock blocked", {
          200: ApiUnlocked,
          404: NotFound,
          409: Conflict,
        }),
      },
    );
}

/** Targets have no ids. Their positions in the configuration, counted from 1, serve as ids of the list. */
function takePage(
  targets: readonly Target[],
  query: { source?: string; target?: string; limit?: string; before?: string },
  isListed: (target: Target) => boolean,
): Page<Target> {
  const { limit, before } = readRange(query);
  const rest = targets
    .map((target, at) => ({ target, position: at + 1 }))
    .filter(({ position }) => position > (before ?? 0))
    .filter(({ target }) => target.source === (query.source ?? target.source))
    .filter(({ target }) => target.name === (query.target ?? target.name))
    .filter(({ target }) => isListed(target));
  const page = rest.slice(0, limit);
  return {
    items: page.map(({ target }) => target),
    next: rest.length > page.length ? (page.at(-1)?.position ?? null) : null,
  };
}
