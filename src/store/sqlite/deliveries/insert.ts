import type { AcceptOptions, AcceptResult, NewDelivery } from "../../../domain/delivery.ts";
import type { QueuedDeployment, Trigger } from "../../../domain/deployment.ts";
import type { Connection } from "../connection.ts";
import type { Queue } from "../deployments/queue.ts";
import type { RecordBlocked } from "../locks.ts";
import { digest, pack } from "./body.ts";
import { type Comparison, keysOf, prepareFindDuplicate } from "./duplicates.ts";
import { toDecisionsColumn } from "./row.ts";
import type { SeenIndex } from "./seen-index.ts";

/** The parts of the store that accepting a delivery writes to. */
export interface InsertParts {
  readonly seen: SeenIndex;
  readonly queue: Queue;
  readonly recordBlocked: RecordBlocked;
}

type DeliveryRow = {
  source: string;
  event: string;
  status: string;
  reason: string | null;
  received_at: number;
  client: string;
  has_identity: number;
  provider_id: string | null;
  hook: string | null;
  redelivery_of: number | null;
  replay_of: number | null;
  headers: string;
  decisions: string | null;
  other_targets: number;
  body_sha256: Uint8Array;
  body_encoding: string;
  body: Uint8Array;
};

/** Prepares what stores one delivery and queues its deployments, inside the group's transaction. */
export function prepareInsert(connection: Connection, { seen, queue, recordBlocked }: InsertParts) {
  // The replayed delivery may have been removed since the replay was requested.
  const insert = connection.prepare<never, DeliveryRow>(`
    INSERT INTO delivery (source, event, status, reason, received_at, client, has_identity, provider_id, hook,
      redelivery_of, replay_of, headers, decisions, other_targets, body_sha256, body_encoding, body)
    VALUES ($source, $event, $status, $reason, $received_at, $client, $has_identity, $provider_id, $hook,
      $redelivery_of, (SELECT id FROM delivery WHERE id = $replay_of), $headers, $decisions, $other_targets,
      $body_sha256, $body_encoding, $body)`);
  const insertNotDeployed = connection.prepare<never, { target: string; delivery: number }>(
    "INSERT INTO not_deployed (target, delivery) VALUES ($target, $delivery)",
  );
  const findDuplicate = prepareFindDuplicate(connection, seen);

  function write(delivery: NewDelivery, sha256: Uint8Array, origin: Origin): number {
    const { encoding, bytes } = pack(delivery.body);
    const written = insert.run({
      source: delivery.source,
      event: delivery.event,
      status: delivery.status,
      reason: delivery.reason,
      received_at: delivery.receivedAt.getTime(),
      client: delivery.client,
      has_identity: delivery.identity === null ? 0 : 1,
      provider_id: delivery.identity?.id ?? null,
      hook: delivery.identity?.hook ?? null,
      redelivery_of: origin.redeliveryOf,
      replay_of: origin.replayOf,
      headers: JSON.stringify(delivery.headers),
      decisions: toDecisionsColumn(delivery.decisions),
      other_targets: delivery.otherTargets,
      body_sha256: sha256,
      body_encoding: encoding,
      body: bytes,
    });
    return Number(written.lastInsertRowid);
  }

  /** Queues the delivery's deployments, and records the targets that it does not deploy. */
  function apply(
    { decisions, receivedAt }: NewDelivery,
    delivery: number,
    trigger: Trigger,
    pushedCommit: string | null,
  ): readonly QueuedDeployment[] {
    const request = { trigger, delivery, pushedCommit, choice: null, createdAt: receivedAt.getTime() };
    const queued: QueuedDeployment[] = [];
    for (const { target, deploy, code } of decisions) {
      if (deploy) queued.push(queue.add({ target, ...request }));
      else insertNotDeployed.run({ target, delivery });
      if (code === "locked") recordBlocked({ target, delivery, trigger, pushedCommit });
    }
    return queued;
  }

  return (delivery: NewDelivery, options: AcceptOptions): AcceptResult => {
    const { source, identity } = delivery;
    const sha256 = digest(delivery.body);
    const fingerprint = identity === null ? null : { source, identity, body: sha256 };
    const keys = fingerprint === null ? [] : keysOf(fingerprint);
    const { pushedCommit, onRedelivery, replayOf } = options;
    const isCompared = options.detectDuplicates && replayOf === null;
    const comparison = isCompared && fingerprint !== null ? findDuplicate(fingerprint, keys) : NEW;
    if (comparison.kind === "duplicate" || (comparison.kind === "redelivery" && onRedelivery === "skip")) {
      return { kind: "duplicate", delivery: comparison.first };
    }
    const origin = { replayOf, redeliveryOf: comparison.kind === "redelivery" ? comparison.first : null };
    const id = write(delivery, sha256, origin);
    seen.note(id, keys);
    const queued = apply(delivery, id, chooseTrigger(origin), pushedCommit);
    return {
      kind: "stored",
      delivery: id,
      deployments: queued.map(({ deployment }) => deployment),
      superseded: queued.flatMap(({ superseded }) => superseded),
      redeliveryOf: origin.redeliveryOf,
    };
  };
}

const NEW: Comparison = { kind: "new" };

/** The earlier delivery that a delivery repeats. */
interface Origin {
  readonly redeliveryOf: number | null;
  readonly replayOf: number | null;
}

function chooseTrigger({ redeliveryOf, replayOf }: Origin): Trigger {
  if (replayOf !== null) return "replay";
  return redeliveryOf === null ? "push" : "redelivery";
}
