import type { AcceptOptions, AcceptResult, NewDelivery } from "../../../domain/delivery.ts";
import type { QueuedDeployment, Trigger } from "../../../domain/deployment.ts";
import type { Connection } from "../connection.ts";
import type { Queue } from "../deployments/queue.ts";
import type { RecordBlocked } from "../locks.ts";
import { digest, pack } from "./body.ts";
import type { DecisionSets } from "./decisions.ts";
import { type Comparison, keysOf, prepareFindDuplicate } from "./duplicates.ts";
import type { SeenIndex } from "./seen-index.ts";

/** What deliveries are kept with. */
export interface Ledgers {
  readonly seen: SeenIndex;
  readonly decisionSets: DecisionSets;
  readonly queue: Queue;
  readonly holdBack: RecordBlocked;
}

type DeliveryRow = {
  source: string;
  event: string;
  status: string;
  received_at: number;
  client: string;
  has_identity: number;
  provider_id: string | null;
  hook: string | null;
  redelivery_of: number | null;
  replay_of: number | null;
  headers: string;
  decision_set: number;
  body_sha256: Uint8Array;
  body_encoding: string;
  body: Uint8Array;
};

/** What keeps one delivery and queues its deployments, inside the group's transaction. */
export function prepareInsert(connection: Connection, { seen, decisionSets, queue, holdBack }: Ledgers) {
  // What a replay is of may have been removed since somebody asked for it.
  const insert = connection.prepare<never, DeliveryRow>(`
    INSERT INTO delivery (source, event, status, received_at, client, has_identity, provider_id, hook,
      redelivery_of, replay_of, headers, decision_set, body_sha256, body_encoding, body)
    VALUES ($source, $event, $status, $received_at, $client, $has_identity, $provider_id, $hook,
      $redelivery_of, (SELECT id FROM delivery WHERE id = $replay_of), $headers, $decision_set, $body_sha256,
      $body_encoding, $body)`);
  const noteUndeployed = connection.prepare<never, { target: string; delivery: number }>(
    "INSERT INTO undeployed (target, delivery) VALUES ($target, $delivery)",
  );
  const compare = prepareFindDuplicate(connection, seen);
  let newest = readNewest(connection);

  function write(delivery: NewDelivery, sha256: Uint8Array, before: Before): number {
    const { encoding, bytes } = pack(delivery.body);
    const written = insert.run({
      source: delivery.source,
      event: delivery.event,
      status: delivery.status,
      received_at: delivery.receivedAt.getTime(),
      client: delivery.client,
      has_identity: delivery.identity === null ? 0 : 1,
      provider_id: delivery.identity?.id ?? null,
      hook: delivery.identity?.hook ?? null,
      redelivery_of: before.redeliveryOf,
      replay_of: before.replayOf,
      headers: JSON.stringify(delivery.headers),
      decision_set: decisionSets.intern(delivery, newest + 1),
      body_sha256: sha256,
      body_encoding: encoding,
      body: bytes,
    });
    const id = Number(written.lastInsertRowid);
    newest = Math.max(newest, id);
    return id;
  }

  /** Queues what the delivery asks for. */
  function deploy(
    { decisions, receivedAt }: NewDelivery,
    delivery: number,
    trigger: Trigger,
    pushedCommit: string | null,
  ): readonly QueuedDeployment[] {
    const how = { trigger, delivery, pushedCommit, choice: null, createdAt: receivedAt.getTime() };
    return decisions.filter(({ deploy }) => deploy).map(({ target }) => queue.add({ target, ...how }));
  }

  return (delivery: NewDelivery, options: AcceptOptions): AcceptResult => {
    const { source, identity } = delivery;
    const sha256 = digest(delivery.body);
    const marks = identity === null ? null : { source, identity, body: sha256 };
    const keys = marks === null ? [] : keysOf(marks);
    const { pushedCommit, onRedelivery, replayOf } = options;
    const isCompared = options.detectDuplicates && replayOf === null;
    const comparison = isCompared && marks !== null ? compare(marks, keys) : NEW;
    if (comparison.kind === "duplicate" || (comparison.kind === "redelivery" && onRedelivery === "skip")) {
      return { kind: "duplicate", delivery: comparison.first };
    }
    const before = { replayOf, redeliveryOf: comparison.kind === "redelivery" ? comparison.first : null };
    const id = write(delivery, sha256, before);
    seen.note(id, keys);
    const trigger = chooseTrigger(before);
    const queued = deploy(delivery, id, trigger, pushedCommit);
    for (const target of options.notDeployed) noteUndeployed.run({ target, delivery: id });
    for (const target of options.blockedByLock) holdBack({ target, delivery: id, trigger, pushedCommit });
    return {
      kind: "kept",
      delivery: id,
      deployments: queued.map(({ deployment }) => deployment),
      superseded: queued.flatMap(({ superseded }) => superseded),
      redeliveryOf: before.redeliveryOf,
    };
  };
}

const NEW: Comparison = { kind: "new" };

/** What a delivery was sent, or is run, again from. */
interface Before {
  readonly redeliveryOf: number | null;
  readonly replayOf: number | null;
}

function chooseTrigger({ redeliveryOf, replayOf }: Before): Trigger {
  if (replayOf !== null) return "replay";
  return redeliveryOf === null ? "push" : "redelivery";
}

/** The highest id that a delivery ever had. */
function readNewest(connection: Connection): number {
  const row = connection
    .prepare<{ seq: number }>("SELECT seq FROM sqlite_sequence WHERE name = 'delivery'")
    .get({});
  return row?.seq ?? 0;
}
