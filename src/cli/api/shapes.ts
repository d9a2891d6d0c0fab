import { type Static, type TSchema, Type } from "@sinclair/typebox";

/**
 * What the admin API answers, as far as the commands read it: a newer server may say more. `--json` prints the
 * answer itself.
 */

const Words = Type.String();
const Maybe = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()]);

/** A list: what follows is asked for with `before=<next>`. */
export const PageAnswer = <Item extends TSchema>(item: Item) =>
  Type.Object({ items: Type.Array(item), next: Maybe(Type.Number()) });

/** How a target stands. */
export const TargetAnswer = Type.Object({
  name: Words,
  source: Words,
  repository: Maybe(Words),
  branch: Maybe(Words),
  tag: Maybe(Words),
  directory: Words,
  layout: Words,
  live: Maybe(Type.Object({ commit: Maybe(Words), release: Maybe(Words), since: Words })),
  locked: Maybe(Type.Object({ reason: Words, by: Words, since: Words, until: Maybe(Words) })),
  queued: Maybe(Type.Number()),
  running: Maybe(Type.Number()),
  last: Maybe(
    Type.Object({
      id: Type.Number(),
      state: Words,
      code: Maybe(Words),
      reason: Maybe(Words),
      ended_at: Maybe(Words),
    }),
  ),
  /** The complete releases on disk, newest first; only where one target was asked for. */
  releases: Type.Optional(Maybe(Type.Array(Words))),
});
export type TargetAnswer = Static<typeof TargetAnswer>;

/** One deployment. */
export const DeploymentAnswer = Type.Object({
  id: Type.Number(),
  target: Words,
  state: Words,
  code: Maybe(Words),
  reason: Maybe(Words),
  trigger: Words,
  attempt: Type.Number(),
  retry_of: Maybe(Type.Number()),
  retried_as: Maybe(Type.Number()),
  superseded_by: Maybe(Type.Number()),
  delivery: Maybe(Type.Number()),
  pushed_commit: Maybe(Words),
  chosen: Maybe(Words),
  branch: Maybe(Words),
  commit: Maybe(Words),
  previous_commit: Maybe(Words),
  release: Maybe(Words),
  created_at: Words,
  started_at: Maybe(Words),
  ended_at: Maybe(Words),
  steps: Type.Array(
    Type.Object({
      command: Words,
      exit_code: Maybe(Type.Number()),
      signal: Maybe(Words),
      milliseconds: Type.Number(),
    }),
  ),
});
export type DeploymentAnswer = Static<typeof DeploymentAnswer>;

/** One delivery. */
export const DeliveryAnswer = Type.Object({
  id: Type.Number(),
  source: Words,
  event: Words,
  status: Words,
  reason: Maybe(Words),
  received_at: Words,
  client: Words,
  provider_id: Maybe(Words),
  redelivery_of: Maybe(Type.Number()),
  replay_of: Maybe(Type.Number()),
  headers: Type.Record(Words, Words),
  decisions: Type.Array(
    Type.Object({ target: Words, deploy: Type.Boolean(), code: Maybe(Words), reason: Maybe(Words) }),
  ),
  other_targets: Type.Number(),
  deployments: Type.Array(Type.Number()),
  outcomes: Type.Array(
    Type.Object({
      deployment: Type.Number(),
      target: Words,
      state: Words,
      code: Maybe(Words),
      reason: Maybe(Words),
    }),
  ),
  /** These only where one delivery was asked for. */
  pushed: Type.Optional(Maybe(Type.Object({ repository: Words, ref: Words, commit: Maybe(Words) }))),
  body: Type.Optional(Words),
});
export type DeliveryAnswer = Static<typeof DeliveryAnswer>;

/** A delivery was run again, and kept as another. */
export const ReplayedAnswer = Type.Object({
  status: Words,
  delivery: Type.Number(),
  deployments: Type.Optional(Type.Array(Type.Object({ id: Type.Number(), target: Words }))),
  reason: Type.Optional(Words),
});
export type ReplayedAnswer = Static<typeof ReplayedAnswer>;

/** One client. */
export const ClientAnswer = Type.Object({
  id: Type.Number(),
  address: Words,
  source: Words,
  authorised_at: Words,
  expires_at: Words,
});
export type ClientAnswer = Static<typeof ClientAnswer>;

/** A deployment was queued. */
export const QueuedAnswer = Type.Object({ status: Words, deployment: Type.Number() });

/** A target was locked. */
export const LockedAnswer = Type.Object({ status: Words, target: TargetAnswer });

/** A target was unlocked; the reason says what follows. */
export const UnlockedAnswer = Type.Object({ status: Words, reason: Words });

/** A deployment was cancelled, or is being ended. */
export const CancelledAnswer = Type.Object({ status: Words, deployment: DeploymentAnswer });

/** Clients may not POST any more. */
export const RevokedAnswer = Type.Object({
  status: Words,
  clients: Type.Array(Type.Object({ address: Words, source: Words })),
});

/** The last event of a followed log. */
export const EndEvent = Type.Object({ state: Words, code: Maybe(Words), reason: Maybe(Words) });
export type EndEvent = Static<typeof EndEvent>;

/** Why something was not done. */
export const Refusal = Type.Object({ status: Words, reason: Type.Optional(Words), id: Type.Optional(Words) });
