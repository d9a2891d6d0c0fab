import type { AcceptOptions, AcceptResult, DeploymentCause, NewDelivery } from "../../../domain/delivery.ts";
import { MAX_QUEUED, type QueuedDeployment, type Trigger } from "../../../domain/deployment.ts";
import type { Connection } from "../connection.ts";
import type { Queue } from "../deployments/queue.ts";
import type { RecordBlocked } from "../locks.ts";
import { digest, pack } from "./body.ts";
import { type CiRow, toCiRow } from "./ci-results.ts";
import { type Comparison, keysOf, prepareFindDuplicate } from "./duplicates.ts";
import { type BodyRow, type NewHeadRow, toNewHeadRow } from "./row.ts";
import type { SeenIndex } from "./seen-index.ts";

/** The parts of the store that accepting a delivery writes to. */
export interface InsertParts {
  readonly seen: SeenIndex;
  readonly queue: Queue;
  readonly recordBlocked: RecordBlocked;
}

const NEW: Comparison = { kind: "new" };

const PUSH: DeploymentCause = { trigger: "push", choice: null };

/** Prepares the insertion of one delivery and its deployments, inside the group's transaction. */
export function prepareInsert(connection: Connection, { seen, queue, recordBlocked }: InsertParts) {
  // The replayed delivery may have been removed since the replay was requested.
  const insert = connection.prepare<never, NewHeadRow & CiRow & BodyRow & { body_sha256: Uint8Array }>(`
    INSERT INTO delivery (source, event, event_name, action, status, reason, received_at, client, has_identity, provider_id, hook,
      redelivery_of, replay_of, headers, decisions, other_targets, ci_commit, ci, body_sha256, body_encoding, body)
    VALUES ($source, $event, $event_name, $action, $status, $reason, $received_at, $client, $has_identity, $provider_id, $hook,
      $redelivery_of, (SELECT id FROM delivery WHERE id = $replay_of), $headers, $decisions, $other_targets,
      $ci_commit, $ci, $body_sha256, $body_encoding, $body)`);
  const insertNotDeployed = connection.prepare<never, { target: string; delivery: number }>(
    "INSERT INTO not_deployed (target, delivery) VALUES ($target, $delivery)",
  );
  const findDuplicate = prepareFindDuplicate(connection, seen);

  /** Queues the delivery's deployments, and records the targets that it does not deploy. */
  function applyDecisions(
    { decisions, receivedAt }: NewDelivery,
    delivery: number,
    repeated: Trigger | null,
    { commitOf, causeOf = () => PUSH, queueAll = [] }: AcceptOptions,
  ): readonly QueuedDeployment[] {
    const createdAt = receivedAt.getTime();
    const queued: QueuedDeployment[] = [];
    for (const { target, deploy, code } of decisions) {
      const pushedCommit = commitOf(target);
      const cause = causeOf(target);
      const trigger = repeated ?? cause.trigger;
      if (deploy) {
        const request = { target, trigger, delivery, pushedCommit, choice: cause.choice, createdAt };
        queued.push(queue.add({ ...request, queueAll: queueAll.includes(target) }));
      } else insertNotDeployed.run({ target, delivery });
      if (code === "locked") recordBlocked({ target, delivery, trigger, pushedCommit });
    }
    return queued;
  }

  return (delivery: NewDelivery, options: AcceptOptions): AcceptResult => {
    const { source, identity } = delivery;
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
    const full = delivery.decisions.find(
      ({ deploy, target }) => deploy && queueAll.includes(target) && queue.countWaiting(target) >= MAX_QUEUED,
    );
    if (full !== undefined) return { kind: "queue full", target: full.target };
    const redeliveryOf = comparison.kind === "redelivery" ? comparison.first : null;
    const { encoding: body_encoding, bytes: body } = pack(delivery.body);
    const head = toNewHeadRow({ ...delivery, redeliveryOf, replayOf });
    const row = { ...head, ...toCiRow(options.ci ?? null), body_sha256: sha256, body_encoding, body };
    const id = Number(insert.run(row).lastInsertRowid);
    seen.note(id, keys);
    const repeated = replayOf !== null ? "replay" : redeliveryOf !== null ? "redelivery" : null;
    const queued = applyDecisions(delivery, id, repeated, options);
    return {
      kind: "stored",
      delivery: id,
      deployments: queued.map(({ deployment }) => deployment),
      superseded: queued.flatMap(({ superseded }) => superseded),
      redeliveryOf,
    };
  };
}
