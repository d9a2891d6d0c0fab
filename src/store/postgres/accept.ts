import { type AcceptResult, PUSHED } from "../../domain/delivery.ts";
import { MAX_QUEUED, type QueuedDeployment, type Trigger } from "../../domain/deployment.ts";
import { digest, type Packed, pack } from "../body.ts";
import { type CiRow, toCiRow } from "../ci-row.ts";
import { type NewHeadRow, toNewHeadRow } from "../delivery-row.ts";
import { type Comparison, compare, type EarlierRow, keysOf } from "../fingerprint.ts";
import type { AcceptRequest } from "../group.ts";
import type { Database, Query } from "./connection.ts";
import { only } from "./deployments.ts";
import { type BlockedDelivery, recordBlocked, settleHeld } from "./locks.ts";
import { type Queue, type QueueRequest, readQueue } from "./queue.ts";

/** A request, and what is computed about it before the transaction. */
interface Prepared extends AcceptRequest {
  readonly sha256: Buffer;
  readonly keys: readonly number[];
  readonly packed: Packed;
}

/** A delivery that is stored in this transaction. */
interface Stored extends Prepared {
  readonly id: number;
  readonly redeliveryOf: number | null;
  readonly at: number;
  /** How each of its targets is queued. */
  readonly requestOf: (target: string) => QueueRequest;
}

type Earlier = EarlierRow & { readonly id: number };

const NEW: Comparison = { kind: "new" };

/**
 * Accepts a group of deliveries in one transaction of the write lane. Decisions are made in memory, by what the group's keys
 * and targets are about, and written with one statement for each table, whatever the size of the group.
 */
export async function acceptGroup(
  database: Database,
  host: string,
  group: readonly AcceptRequest[],
): Promise<readonly AcceptResult[]> {
  // Outside the lane, where others do not wait for it.
  const prepared = group.map(prepare);
  return database.write((query) => acceptPrepared(query, host, prepared));
}

function prepare(request: AcceptRequest): Prepared {
  const { source, identity, body } = request.delivery;
  const sha256 = digest(body);
  const keys = identity === null ? [] : keysOf({ source, identity, body: sha256 });
  return { ...request, sha256, keys, packed: pack(body) };
}

async function acceptPrepared(
  query: Query,
  host: string,
  prepared: readonly Prepared[],
): Promise<readonly AcceptResult[]> {
  const deployed = new Set(prepared.flatMap((each) => deployedBy(each)));
  const [queue, seen] = await Promise.all([readQueue(query, [...deployed], host), readSeen(query, prepared)]);
  const stored: Stored[] = [];
  const queued = new Map<number, QueuedDeployment[]>();

  const results = prepared.map((request, at): AcceptResult => {
    const { delivery, options, keys, sha256 } = request;
    const { source, identity } = delivery;
    const isCompared = options.detectDuplicates && options.replayOf === null && identity !== null;
    const comparison = isCompared
      ? compare({ source, identity, body: sha256 }, keys, options.repeatedBody, (key) => seen.get(key) ?? [])
      : NEW;
    if (
      comparison.kind === "duplicate" ||
      (comparison.kind === "redelivery" && options.onRedelivery === "skip")
    ) {
      return { kind: "duplicate", delivery: comparison.first };
    }
    const full = deployedBy(request).find(
      (target) => options.queueAll?.includes(target) && queue.countWaiting(target) >= MAX_QUEUED,
    );
    if (full !== undefined) return { kind: "queue full", target: full };
    const id = queue.nextDelivery();
    const redeliveryOf = comparison.kind === "redelivery" ? comparison.first : null;
    const earlier: Earlier = {
      id,
      source,
      provider_id: identity?.id ?? null,
      hook: identity?.hook ?? null,
      body_sha256: sha256,
    };
    for (const key of keys) seen.set(key, [...(seen.get(key) ?? []), earlier]);
    const repeated = options.replayOf !== null ? "replay" : redeliveryOf !== null ? "redelivery" : null;
    const requestOf = createRequestOf(request, id, repeated, host);
    stored.push({ ...request, id, redeliveryOf, at, requestOf });
    const own = deployedBy(request).map((target) => queue.add(requestOf(target)));
    queued.set(at, own);
    return toReceipt(id, own, redeliveryOf);
  });

  if (stored.length > 0) {
    const inserted = [
      insertDeliveries(query, stored),
      insertSeen(query, stored),
      insertNotDeployed(query, stored),
    ];
    const settled = settleBlocked(query, queue, stored, (late) => {
      const own = [...(queued.get(late.at) ?? []), late.queued];
      queued.set(late.at, own);
      results[late.at] = toReceipt(late.id, own, late.redeliveryOf);
    });
    const before = Promise.all([...inserted, settled]);
    // What locks blocked changes the queue; otherwise all is sent together.
    if (hasBlocked(stored)) await before;
    const now = stored[0]?.delivery.receivedAt.getTime() ?? 0;
    await Promise.all([before, queue.write(now)]);
  }
  return results;
}

function toReceipt(
  id: number,
  queued: readonly QueuedDeployment[],
  redeliveryOf: number | null,
): AcceptResult {
  return {
    kind: "stored",
    delivery: id,
    deployments: queued.flatMap(({ deployment, others }) => [deployment, ...others]),
    superseded: queued.flatMap(({ superseded }) => superseded),
    redeliveryOf,
  };
}

function deployedBy({ delivery }: Prepared): readonly string[] {
  return delivery.decisions.filter(({ deploy }) => deploy).map(({ target }) => target);
}

function createRequestOf(
  { delivery, options }: Prepared,
  id: number,
  repeated: Trigger | null,
  host: string,
) {
  const { commitOf, causeOf = () => PUSHED, placementOf = () => only(host), queueAll = [] } = options;
  return (target: string): QueueRequest => {
    const { trigger, choice } = causeOf(target);
    return {
      target,
      delivery: id,
      pushedCommit: commitOf(target),
      trigger: repeated ?? trigger,
      choice,
      queueAll: queueAll.includes(target),
      placement: placementOf(target),
      createdAt: delivery.receivedAt.getTime(),
    };
  };
}

/** The stored deliveries with the keys of the group, the oldest first. */
async function readSeen(
  query: Query,
  prepared: readonly Prepared[],
): Promise<Map<number, readonly Earlier[]>> {
  const keys = [...new Set(prepared.flatMap((each) => each.keys))];
  const rows =
    keys.length === 0
      ? []
      : await query<Earlier & { key: number }>(
          // OFFSET 0 keeps the planner from reading whole tables, which it does while it has no statistics of them.
          `SELECT key, id, source, provider_id, hook, body_sha256 FROM unnest($1::bigint[]) AS wanted (key)
             CROSS JOIN LATERAL (SELECT delivery FROM seen WHERE seen.key = wanted.key OFFSET 0) AS found
             CROSS JOIN LATERAL (
               SELECT id, source, provider_id, hook, body_sha256 FROM delivery WHERE id = found.delivery OFFSET 0) AS earlier
           ORDER BY id`,
          keys,
        );
  const seen = new Map<number, readonly Earlier[]>();
  for (const { key, ...row } of rows) seen.set(key, [...(seen.get(key) ?? []), row]);
  return seen;
}

function hasBlocked(stored: readonly Stored[]): boolean {
  return stored.some(({ delivery }) => delivery.decisions.some(({ code }) => code === "locked"));
}

/** Where a lock was removed while its delivery was on the way, the delivery is deployed: nothing else would deploy it. */
async function settleBlocked(
  query: Query,
  queue: Queue,
  stored: readonly Stored[],
  onQueued: (late: Stored & { readonly queued: QueuedDeployment }) => void,
): Promise<void> {
  const blocked = stored.flatMap((each) =>
    each.delivery.decisions
      .filter(({ code }) => code === "locked")
      .map(({ target }): BlockedDelivery & { of: Stored } => ({
        ...each.requestOf(target),
        delivery: each.id,
        of: each,
      })),
  );
  const unheld = (await recordBlocked(query, blocked)) as readonly (BlockedDelivery & { of: Stored })[];
  if (unheld.length === 0) return;
  await queue.load(unheld.map(({ target }) => target));
  for (const { target, of } of unheld) onQueued({ ...of, queued: queue.add(of.requestOf(target)) });
  for (const { of } of unheld) await settleHeld(query, of.id);
}

async function insertDeliveries(query: Query, stored: readonly Stored[]): Promise<void> {
  const rows = stored.map(({ delivery, options, id, redeliveryOf, sha256, packed }) => {
    const json = delivery.decisions.length === 0 ? null : JSON.stringify(delivery.decisions);
    const head: NewHeadRow = toNewHeadRow({ ...delivery, redeliveryOf, replayOf: options.replayOf }, json);
    const ci: CiRow = toCiRow(options.ci ?? null);
    return { id, ...head, ...ci, sha256, ...packed };
  });
  let length = 0;
  const starts = rows.map(({ bytes }) => {
    length += bytes.length;
    return length - bytes.length;
  });
  // The replayed delivery may have been removed since the replay was requested.
  await query(
    `INSERT INTO delivery (id, source, event, event_name, action, status, reason, received_at, client, has_identity,
       provider_id, hook, redelivery_of, replay_of, headers, decisions, other_targets, ci_commit, ci, body_sha256,
       body_encoding, body)
     SELECT id, source, event, event_name, action, status, reason, received_at, client, has_identity, provider_id, hook,
       redelivery_of, (SELECT old.id FROM delivery AS old WHERE old.id = new.replay_of), headers, decisions,
       other_targets, ci_commit, ci, substring($20::bytea FROM (position::integer - 1) * 32 + 1 FOR 32), body_encoding,
       substring($22::bytea FROM body_start + 1 FOR body_length)
     FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[],
       $9::text[], $10::smallint[], $11::text[], $12::text[], $13::bigint[], $14::bigint[], $15::text[], $16::text[],
       $17::integer[], $18::text[], $19::text[], $21::text[], $23::integer[], $24::integer[]) WITH ORDINALITY
     AS new (id, source, event, event_name, action, status, reason, received_at, client, has_identity, provider_id, hook,
       redelivery_of, replay_of, headers, decisions, other_targets, ci_commit, ci, body_encoding, body_start, body_length,
       position)`,
    rows.map(({ id }) => id),
    rows.map(({ source }) => source),
    rows.map(({ event }) => event),
    rows.map(({ event_name }) => event_name),
    rows.map(({ action }) => action),
    rows.map(({ status }) => status),
    rows.map(({ reason }) => reason),
    rows.map(({ received_at }) => received_at),
    rows.map(({ client }) => client),
    rows.map(({ has_identity }) => has_identity),
    rows.map(({ provider_id }) => provider_id),
    rows.map(({ hook }) => hook),
    rows.map(({ redelivery_of }) => redelivery_of),
    rows.map(({ replay_of }) => replay_of),
    rows.map(({ headers }) => headers),
    rows.map(({ decisions }) => decisions),
    rows.map(({ other_targets }) => other_targets),
    rows.map(({ ci_commit }) => ci_commit),
    rows.map(({ ci }) => ci),
    // As one value each: the driver writes an array of bytes as text, and a single one as it is.
    Buffer.concat(rows.map(({ sha256 }) => sha256)),
    rows.map(({ encoding }) => encoding),
    Buffer.concat(rows.map(({ bytes }) => bytes)),
    starts,
    rows.map(({ bytes }) => bytes.length),
  );
}

async function insertSeen(query: Query, stored: readonly Stored[]): Promise<void> {
  const pairs = stored.flatMap(({ keys, id }) => [...new Set(keys)].map((key) => ({ key, id })));
  if (pairs.length === 0) return;
  await query(
    "INSERT INTO seen (key, delivery) SELECT * FROM unnest($1::bigint[], $2::bigint[])",
    pairs.map(({ key }) => key),
    pairs.map(({ id }) => id),
  );
}

async function insertNotDeployed(query: Query, stored: readonly Stored[]): Promise<void> {
  const pairs = stored.flatMap(({ delivery, id }) =>
    delivery.decisions.filter(({ deploy }) => !deploy).map(({ target }) => ({ target, id })),
  );
  if (pairs.length === 0) return;
  await query(
    "INSERT INTO not_deployed (target, delivery) SELECT * FROM unnest($1::text[], $2::bigint[])",
    pairs.map(({ target }) => target),
    pairs.map(({ id }) => id),
  );
}
