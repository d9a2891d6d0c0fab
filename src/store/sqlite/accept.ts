import type { NewDelivery, Receipt } from "../../domain/delivery.ts";
import { digestBody, packBody } from "./body.ts";
import type { Connection } from "./open.ts";

/** Keeps deliveries, those that wait together in one commit. */
export interface Acceptor {
  accept(delivery: NewDelivery, pushedCommit: string | null): Promise<Receipt>;
  /** Commits now what waits, so that the store can be closed. */
  flush(): void;
}

interface Waiting {
  readonly write: () => Receipt;
  readonly resolve: (receipt: Receipt) => void;
  readonly reject: (fault: unknown) => void;
}

/**
 * Collects the accepts of one turn of the event loop and commits them together: one wait for the disk for all
 * of them. If the commit fails it fails for each, and nothing of any is kept.
 */
export function collectAccepts(connection: Connection): Acceptor {
  const write = prepareWrite(connection);
  let waiting: Waiting[] = [];

  function flush(): void {
    if (waiting.length === 0) return;
    const group = waiting;
    waiting = [];
    connection
      .attempt(() => connection.transact(() => group.map((one) => ({ ...one, receipt: one.write() }))))
      .then(
        (kept) => {
          for (const { resolve, receipt } of kept) resolve(receipt);
        },
        (fault: unknown) => {
          for (const { reject } of group) reject(fault);
        },
      );
  }

  return {
    async accept(delivery, pushedCommit) {
      const row = toRow(delivery);
      return new Promise((resolve, reject) => {
        // After the requests that came with this one, and before the loop waits for more.
        if (waiting.length === 0) setImmediate(flush);
        waiting.push({ write: () => write(row, delivery, pushedCommit), resolve, reject });
      });
    },
    flush,
  };
}

function toRow(delivery: NewDelivery) {
  const { encoding, bytes } = packBody(delivery.body);
  return {
    source: delivery.source,
    event: delivery.event,
    status: delivery.status,
    reason: delivery.reason,
    received_at: delivery.receivedAt.getTime(),
    client: delivery.client,
    provider_id: delivery.providerId,
    headers: JSON.stringify(delivery.headers),
    decisions: JSON.stringify(delivery.decisions),
    body_sha256: digestBody(delivery.body),
    body_encoding: encoding,
    body: bytes,
  };
}

/** What writes one delivery and queues its deployments, inside the group's transaction. */
function prepareWrite(connection: Connection) {
  const insertDelivery = connection.prepare<never, ReturnType<typeof toRow>>(`
    INSERT INTO delivery (source, event, status, reason, received_at, client, provider_id, headers, decisions,
      body_sha256, body_encoding, body)
    VALUES ($source, $event, $status, $reason, $received_at, $client, $provider_id, $headers, $decisions,
      $body_sha256, $body_encoding, $body)`);
  const insertDeployment = connection.prepare<
    never,
    { target: string; delivery: number; pushed_commit: string | null; created_at: number }
  >(`
    INSERT INTO deployment (target, state, trigger, delivery, pushed_commit, created_at)
    VALUES ($target, 'queued', 'push', $delivery, $pushed_commit, $created_at)`);
  const supersedeOlder = connection.prepare<never, { id: number; target: string; ended_at: number }>(`
    UPDATE deployment
    SET state = 'superseded', reason = 'deployment ' || $id || ' is newer', ended_at = $ended_at
    WHERE target = $target AND state = 'queued' AND id < $id`);

  function queue(target: string, delivery: number, pushedCommit: string | null, now: number) {
    const values = { target, delivery, pushed_commit: pushedCommit, created_at: now };
    const id = Number(insertDeployment.run(values).lastInsertRowid);
    supersedeOlder.run({ id, target, ended_at: now });
    return { id, target };
  }

  return (row: ReturnType<typeof toRow>, delivery: NewDelivery, pushedCommit: string | null): Receipt => {
    const id = Number(insertDelivery.run(row).lastInsertRowid);
    const deployments = delivery.decisions
      .filter((decision) => decision.deploy)
      .map(({ target }) => queue(target, id, pushedCommit, row.received_at));
    return { delivery: id, deployments };
  };
}
