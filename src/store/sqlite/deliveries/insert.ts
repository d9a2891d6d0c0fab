import { type AcceptOptions, type AcceptResult, type NewDelivery, PUSHED } from "../../../domain/delivery.ts";
import { MAX_QUEUED, type QueuedDeployment, type Trigger } from "../../../domain/deployment.ts";
import type { Decision } from "../../../domain/match.ts";
import { digest } from "../../body.ts";
import { type CiRow, toCiRow } from "../../ci-row.ts";
import { type BodyRow, type NewHeadRow, toNewHeadRow } from "../../delivery-row.ts";
import { type Comparison, keysOf } from "../../fingerprint.ts";
import type { AcceptRequest } from "../../group.ts";
import type { Connection } from "../connection.ts";
import type { Queue } from "../deployments/queue.ts";
import { prepareSettleHeld, type RecordBlocked } from "../locks.ts";
import { type BodyWriter, prepareBodyWriter } from "./blocks.ts";
import { prepareFindDuplicate } from "./duplicates.ts";
import type { SeenIndex } from "./seen-index.ts";

/** The parts of the store that accepting a delivery writes to. */
export interface InsertParts {
  readonly seen: SeenIndex;
  readonly queue: Queue;
  readonly recordBlocked: RecordBlocked;
}

const NEW: Comparison = { kind: "new" };

/** Prepares the insertion of deliveries and their deployments, in the order of the group, in the caller's transaction. */
export function prepareInsertGroup(connection: Connection, parts: InsertParts) {
  const insert = prepareInsert(connection, parts);
  const beginBodies = prepareBodyWriter(connection);
  return (group: readonly AcceptRequest[]): readonly AcceptResult[] => {
    const bodies = beginBodies(group.map(({ delivery }) => delivery.body.length));
    const sets = new Map<readonly Decision[], DecisionSet>();
    const results = group.map(({ delivery, options }) => {
      const { decisions } = delivery;
      const set = sets.get(decisions) ?? createDecisionSet(decisions);
      sets.set(decisions, set);
      return insert(delivery, options, set, bodies);
    });
    bodies.end();
    parts.seen.write();
    return results;
  };
}

/** The decisions of a delivery, prepared once for all deliveries of a group that share them: there may be thousands. */
interface DecisionSet {
  /** Null for no decision. */
  readonly json: string | null;
  readonly deployed: readonly string[];
  readonly notDeployed: readonly string[];
  /** The targets whose lock blocked the delivery. */
  readonly locked: readonly string[];
}

function createDecisionSet(decisions: readonly Decision[]): DecisionSet {
  const targetsOf = (some: readonly Decision[]) => some.map(({ target }) => target);
  return {
    json: decisions.length === 0 ? null : JSON.stringify(decisions),
    deployed: targetsOf(decisions.filter(({ deploy }) => deploy)),
    notDeployed: targetsOf(decisions.filter(({ deploy }) => !deploy)),
    locked: targetsOf(decisions.filter(({ code }) => code === "locked")),
  };
}

function prepareInsert(connection: Connection, { seen, queue, recordBlocked }: InsertParts) {
  // The replayed delivery may have been removed since the replay was requested.
  const insert = connection.prepare<never, NewHeadRow & CiRow & BodyRow & { body_sha256: Uint8Array }>(`
    INSERT INTO delivery (source, event, event_name, action, status, reason, received_at, client, has_identity,
      provider_id, hook, redelivery_of, replay_of, headers, decisions, other_targets, ci_commit, ci, body_sha256,
      body_encoding, body, block, block_offset, block_length)
    VALUES ($source, $event, $event_name, $action, $status, $reason, $received_at, $client, $has_identity,
      $provider_id, $hook, $redelivery_of, (SELECT id FROM delivery WHERE id = $replay_of), $headers, $decisions,
      $other_targets, $ci_commit, $ci, $body_sha256, $body_encoding, $body, $block, $block_offset, $block_length)`);
  const insertNotDeployed = connection.prepare<never, { target: string; delivery: number }>(
    "INSERT INTO not_deployed (target, delivery) VALUES ($target, $delivery)",
  );
  const settleHeld = prepareSettleHeld(connection);
  const findDuplicate = prepareFindDuplicate(connection, seen);

  /** Queues the delivery's deployments, and records the targets that it does not deploy. */
  function applyDecisions(
    { deployed, notDeployed, locked }: DecisionSet,
    delivery: number,
    receivedAt: Date,
    repeated: Trigger | null,
    { commitOf, causeOf = () => PUSHED, queueAll = [] }: AcceptOptions,
  ): readonly QueuedDeployment[] {
    const createdAt = receivedAt.getTime();
    const requestOf = (target: string) => {
      const { trigger, choice } = causeOf(target);
      return { target, delivery, pushedCommit: commitOf(target), trigger: repeated ?? trigger, choice };
    };
    for (const target of notDeployed) insertNotDeployed.run({ target, delivery });
    // Where the lock was removed while the delivery was on the way, nothing else would deploy it.
    const unheld = locked.filter((target) => {
      const { choice: _, ...blocked } = requestOf(target);
      return !recordBlocked(blocked);
    });
    const queued = [...deployed, ...unheld].map((target) =>
      queue.add({ ...requestOf(target), createdAt, queueAll: queueAll.includes(target) }),
    );
    if (unheld.length > 0) settleHeld(delivery);
    return queued;
  }

  return (
    delivery: NewDelivery,
    options: AcceptOptions,
    decisions: DecisionSet,
    bodies: BodyWriter,
  ): AcceptResult => {
    const { source, identity, receivedAt } = delivery;
    const { repeatedBody, onRedelivery, replayOf, queueAll = [] } = options;
    const sha256 = digest(delivery.body);
    const fingerprint = identity === null ? null : { source, identity, body: sha256 };
    const keys = fingerprint === null ? [] : keysOf(fingerprint);
    const isCompared = options.detectDuplicates && replayOf === null;
    const comparison =
      isCompared && fingerprint !== null ? findDuplicate(fingerprint, keys, repeatedBody) : NEW;
    if (comparison.kind === "duplicate" || (comparison.kind === "redelivery" && onRedelivery === "skip")) {
      return { kind: "duplicate", delivery: comparison.first };
    }
    const full = decisions.deployed.find(
      (target) => queueAll.includes(target) && queue.countWaiting(target) >= MAX_QUEUED,
    );
    if (full !== undefined) return { kind: "queue full", target: full };
    const redeliveryOf = comparison.kind === "redelivery" ? comparison.first : null;
    const head = toNewHeadRow({ ...delivery, redeliveryOf, replayOf }, decisions.json);
    const ci = toCiRow(options.ci ?? null);
    const row = { ...head, ...ci, ...bodies.add(delivery.body), body_sha256: sha256 };
    const id = Number(insert.run(row).lastInsertRowid);
    bodies.inserted(id);
    seen.note(id, keys);
    const repeated = replayOf !== null ? "replay" : redeliveryOf !== null ? "redelivery" : null;
    const queued = applyDecisions(decisions, id, receivedAt, repeated, options);
    return {
      kind: "stored",
      delivery: id,
      deployments: queued.map(({ deployment }) => deployment),
      superseded: queued.flatMap(({ superseded }) => superseded),
      redeliveryOf,
    };
  };
}
