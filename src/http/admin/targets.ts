import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { describeResult } from "../../domain/deployment-result.ts";
import type { TargetStatus } from "../../domain/deployment-store.ts";
import type { Lock } from "../../domain/lock.ts";
import type { Page } from "../../domain/page.ts";
import type { Target } from "../../domain/target.ts";
import type { DeployOutcome } from "../../flow/operator.ts";
import { DurationSetting } from "../../lib/schema.ts";
import { DeploymentState, ResultCodeShape } from "./deployments.ts";
import { JSON_BODY } from "./json-body.ts";
import { PAGE_QUERY, pageOf, readRange } from "./page.ts";
import {
  COMMON_PROBLEMS,
  Conflict,
  createRoutes,
  Id,
  Input,
  Line,
  NameText,
  NO_QUERY,
  NotFound,
  orNull,
  Time,
} from "./schema.ts";
import type { AdminServices } from "./services.ts";

/** A person's lock on a target. */
export const LockShape = Type.Object({
  reason: Type.String(),
  by: Type.String(),
  since: Time,
  until: orNull(Time),
});

/** A target, what is live in it and what runs. */
export const TargetShape = Type.Object({
  name: Type.String(),
  source: Type.String(),
  repository: orNull(Type.String()),
  branch: orNull(Type.String()),
  tag: orNull(Type.String()),
  directory: Type.String(),
  layout: Type.String(),
  live: orNull(Type.Object({ commit: orNull(Type.String()), release: orNull(Type.String()), since: Time })),
  locked: orNull(LockShape),
  queued: orNull(Id),
  running: orNull(Id),
  last: orNull(
    Type.Object({
      id: Id,
      state: DeploymentState,
      code: orNull(ResultCodeShape),
      reason: orNull(Type.String()),
      ended_at: orNull(Time),
    }),
  ),
});

/** Describes a lock as JSON. */
export function describeLock({ reason, by, since, until }: Lock): Static<typeof LockShape> {
  return { reason, by, since: since.toISOString(), until: until?.toISOString() ?? null };
}

/** Describes a target as JSON. */
export function describeTarget(target: Target, status: TargetStatus): Static<typeof TargetShape> {
  const { name, source, directory, layout, repository } = target;
  const { live, lock, queued, running, latest } = status;
  return {
    name,
    source,
    repository: repository?.fullName ?? null,
    branch: repository?.ref.kind === "branch" ? repository.ref.name : null,
    tag: repository?.ref.kind === "tag" ? repository.ref.pattern : null,
    directory,
    layout,
    live: live === null ? null : { ...live, since: live.since.toISOString() },
    locked: lock === null ? null : describeLock(lock),
    queued,
    running,
    last:
      latest === null
        ? null
        : {
            id: latest.id,
            state: latest.state,
            code: latest.code,
            reason: describeResult(latest),
            ended_at: latest.endedAt?.toISOString() ?? null,
          },
  };
}

/** As written: the framework would decode the setting, but describe the wrong type. */
const DurationText = Type.String({ pattern: DurationSetting.pattern, expected: DurationSetting.expected });

const UNKNOWN = { status: "not found", reason: "there is no such target" } as const;
const PARAMS = Type.Object({ name: NameText });
const Queued = Type.Object({ status: Type.Literal("queued"), deployment: Id });

/** The routes that show targets and operate them. */
export function targets(services: AdminServices) {
  const { store, operator, clock, releasesOf } = services;
  const byName = new Map(services.targets.map((target) => [target.name, target]));
  const describe = async (target: Target) =>
    describeTarget(target, await store.readTargetStatus(target.name, clock.now()));

  return createRoutes()
    .get(
      "/api/targets",
      async ({ query }) => {
        const { items, next } = takePage(services.targets, query);
        return { items: await Promise.all(items.map(describe)), next };
      },
      {
        query: Input({ source: Type.Optional(NameText), target: Type.Optional(NameText), ...PAGE_QUERY }),
        response: { 200: pageOf(TargetShape), ...COMMON_PROBLEMS },
        detail: { tags: ["targets"], summary: "List targets, in the configuration's order" },
      },
    )
    .get(
      "/api/targets/:name",
      async ({ params, status }) => {
        const target = byName.get(params.name);
        if (target === undefined) return status(404, UNKNOWN);
        const releases = await releasesOf(target);
        return { ...(await describe(target)), releases: releases === null ? null : [...releases] };
      },
      {
        params: PARAMS,
        query: NO_QUERY,
        response: {
          200: Type.Object({
            ...TargetShape.properties,
            releases: orNull(Type.Array(Type.String(), { description: "on disk, newest first" })),
          }),
          404: NotFound,
          ...COMMON_PROBLEMS,
        },
        detail: { tags: ["targets"], summary: "Show a target and its releases" },
      },
    )
    .post(
      "/api/targets/:name/deploy",
      async ({ params, body, status }) => {
        const { commit = null, force = false } = body;
        const outcome = await operator.deploy(params.name, { commit, force });
        if (outcome.kind === "unknown target") return status(404, UNKNOWN);
        if (outcome.kind !== "queued") return status(409, describeRefusal(outcome));
        return status(202, { status: "queued", deployment: outcome.deployment });
      },
      {
        params: PARAMS,
        query: NO_QUERY,
        parse: JSON_BODY,
        body: Input({
          commit: Type.Optional(
            Type.String({ pattern: "^[0-9a-fA-F]{7,64}$", expected: "7 to 64 hex digits of a commit" }),
          ),
          force: Type.Optional(
            Type.Boolean({ description: "deploy even if it is locked", expected: "true or false" }),
          ),
        }),
        response: { 202: Queued, 404: NotFound, 409: Conflict, ...COMMON_PROBLEMS },
        detail: { tags: ["targets"], summary: "Deploy the tip, or a commit" },
      },
    )
    .post(
      "/api/targets/:name/rollback",
      async ({ params, body, status }) => {
        const outcome = await operator.rollback(params.name, body.release ?? null);
        if (outcome.kind === "unknown target") return status(404, UNKNOWN);
        if (outcome.kind !== "queued") return status(409, describeRefusal(outcome));
        return status(202, { status: "queued", deployment: outcome.deployment });
      },
      {
        params: PARAMS,
        query: NO_QUERY,
        parse: JSON_BODY,
        body: Input({ release: Type.Optional(NameText) }),
        response: { 202: Queued, 404: NotFound, 409: Conflict, ...COMMON_PROBLEMS },
        detail: { tags: ["targets"], summary: "Roll back to the previous release, or to a named one" },
      },
    )
    .post(
      "/api/targets/:name/lock",
      async ({ params, body, status }) => {
        const { reason, by = "admin" } = body;
        const milliseconds = body.for === undefined ? null : Value.Decode(DurationSetting, body.for);
        const target = byName.get(params.name);
        const outcome = await operator.lock(params.name, { reason, by, milliseconds });
        if (target === undefined || outcome.kind === "unknown target") return status(404, UNKNOWN);
        return status(200, { status: "locked", target: await describe(target) });
      },
      {
        params: PARAMS,
        query: NO_QUERY,
        parse: JSON_BODY,
        body: Input({ reason: Line, by: Type.Optional(Line), for: Type.Optional(DurationText) }),
        response: {
          200: Type.Object({ status: Type.Literal("locked"), target: TargetShape }),
          404: NotFound,
          ...COMMON_PROBLEMS,
        },
        detail: { tags: ["targets"], summary: "Prevent deliveries from deploying a target" },
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
        params: PARAMS,
        query: NO_QUERY,
        parse: JSON_BODY,
        body: Input({}),
        response: {
          200: Type.Object({
            status: Type.Literal("unlocked"),
            deployment: orNull(Type.Integer({ minimum: 1, description: "the one that is next" })),
            reason: Type.String({ description: "what it deploys, or why there is none" }),
          }),
          404: NotFound,
          409: Conflict,
          ...COMMON_PROBLEMS,
        },
        detail: { tags: ["targets"], summary: "Unlock a target and deploy what the lock blocked" },
      },
    );
}

/** Targets have no ids: the position in the configuration, counted from 1, serves as one. */
function takePage(
  targets: readonly Target[],
  { source, target: name, ...range }: { source?: string; target?: string; limit?: string; before?: string },
): Page<Target> {
  const { limit, before } = readRange(range);
  const rest = targets
    .map((target, at) => ({ target, place: at + 1 }))
    .filter(({ place }) => before === null || place > before)
    .filter(({ target }) => source === undefined || target.source === source)
    .filter(({ target }) => name === undefined || target.name === name);
  const shown = rest.slice(0, limit);
  return {
    items: shown.map(({ target }) => target),
    next: rest.length > shown.length ? (shown.at(-1)?.place ?? null) : null,
  };
}

function describeRefusal({ kind, reason }: Extract<DeployOutcome, { reason: string }>) {
  return { status: kind, reason };
}
