import { setTimeout as sleep } from "node:timers/promises";
import type {
  ChallengeStore,
  Fleet,
  ForgetOutcome,
  Host,
  HostTarget,
  LeaseTimes,
} from "../../domain/host.ts";
import { AppError } from "../../lib/errors.ts";
import { type Channel, toMessage } from "./channel.ts";
import type { Database, Query } from "./connection.ts";
import { stopRollouts } from "./deployment-rows.ts";
import type { Member } from "./deployments.ts";
import { LEASE_END } from "./lease.ts";

interface HostRow {
  readonly name: string;
  readonly since: Date;
  readonly seenAt: Date;
  readonly isUp: boolean;
  readonly isDraining: boolean;
  readonly version: string;
  readonly targets: string;
}

const IS_UP = `(worker IS NOT NULL AND seen_at > ${LEASE_END})`;

const COLUMNS = `name, since, seen_at AS "seenAt", ${IS_UP} AS "isUp", draining_since IS NOT NULL AS "isDraining",
  version, targets`;

/** Milliseconds between two attempts to take over the name of a host whose process may be gone. */
const RETRY_AFTER = 250;

/**
 * Makes this process the one of its host. A process that was killed has lost its connection, and with it the lock of the
 * name. Where the lock is held, its process is watched for as long as a lease: rejects with an {@link AppError} `failed` when
 * it is alive.
 */
export async function joinAsHost(
  { query }: Database,
  channel: Channel,
  { host, worker }: Member,
): Promise<void> {
  let firstSeen: number | null = null;
  for (;;) {
    const isFree = await channel.lockName(host);
    const [found] = await query<HostRow>(`SELECT ${COLUMNS} FROM host WHERE name = $1`, host);
    if (isFree || found?.isUp !== true) break;
    firstSeen ??= found.seenAt.getTime();
    if (found.seenAt.getTime() > firstSeen) {
      throw new AppError(
        "failed",
        `another hooklatch uses the host name ${host}: stop it, or set [store] host to another name`,
      );
    }
    await sleep(RETRY_AFTER);
  }
  await query(
    `INSERT INTO host (name, worker, since, seen_at) VALUES ($1, $2, clock_timestamp(), clock_timestamp())
     ON CONFLICT (name) DO UPDATE SET worker = excluded.worker, since = excluded.since, seen_at = excluded.seen_at`,
    host,
    worker,
  );
}

/** Ends the lease of this process at once. */
export async function leave(query: Query, { host, worker }: Member): Promise<void> {
  await query("UPDATE host SET worker = NULL WHERE name = $1 AND worker = $2", host, worker);
}

/** What processes need that share the database. */
export function createFleet(
  database: Database,
  channel: Channel,
  { host, worker }: Member,
  times: LeaseTimes,
): Fleet {
  const { query } = database;
  return {
    times,
    async describeHost({ version, targets }) {
      await query(
        "UPDATE host SET version = $3, targets = $4 WHERE name = $1 AND worker = $2",
        host,
        worker,
        version,
        JSON.stringify(targets),
      );
    },
    listHosts: async () => (await query<HostRow>(`SELECT ${COLUMNS} FROM host ORDER BY name`)).map(toHost),
    async renew() {
      const renewed = await query<{ name: string }>(
        `INSERT INTO host (name, worker, since, seen_at) VALUES ($1, $2, clock_timestamp(), clock_timestamp())
         ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at WHERE host.worker = $2 RETURNING name`,
        host,
        worker,
      );
      if (renewed.length === 0) return { kind: "replaced" };
      const cancelled = await query<{ deployment: number; reason: string }>(
        `SELECT id AS deployment, cancel_reason AS reason FROM deployment
         WHERE state = 'running' AND worker = $1 AND cancel_reason IS NOT NULL ORDER BY id`,
        worker,
      );
      return { kind: "renewed", cancelled };
    },
    async requestCancel(deployment, reason) {
      const [row] = await query<{ host: string }>(
        "UPDATE deployment SET cancel_reason = $2 WHERE id = $1 AND state = 'running' RETURNING host",
        deployment,
        reason,
      );
      if (row === undefined) return false;
      channel.send({ kind: "cancel", host: row.host });
      return true;
    },
    async drainHost(name, isDraining) {
      const [row] = await query<HostRow>(
        `UPDATE host SET draining_since = CASE WHEN $2 THEN coalesce(draining_since, clock_timestamp()) END
         WHERE name = $1 RETURNING ${COLUMNS}`,
        name,
        isDraining,
      );
      return row === undefined ? null : toHost(row);
    },
    forgetHost: (name, now) => database.write((run) => forget(run, name, now.getTime())),
    subscribe: channel.subscribe,
    publish: (event) => channel.send(toMessage(event)),
    challenges: createChallenges(query),
  };
}

function toHost({ targets, isUp, ...row }: HostRow): Host {
  return { ...row, targets: JSON.parse(targets) as readonly HostTarget[], state: isUp ? "up" : "away" };
}

async function forget(query: Query, name: string, now: number): Promise<ForgetOutcome> {
  const [row] = await query<{ isUp: boolean }>(`SELECT ${IS_UP} AS "isUp" FROM host WHERE name = $1`, name);
  if (row === undefined) return { kind: "unknown host" };
  if (row.isUp) return { kind: "up" };
  // Rollouts go on without it.
  await query(
    `UPDATE deployment SET waits_for = before.waits_for FROM deployment AS before
     WHERE deployment.waits_for = before.id AND deployment.state = 'queued' AND before.state = 'queued'
       AND before.host = $1`,
    name,
  );
  const cancelled = await query<{ id: number }>(
    `UPDATE deployment SET ended_at = $2, code = 'host_forgotten',
       state = CASE state WHEN 'queued' THEN 'cancelled' ELSE 'interrupted' END
     WHERE host = $1 AND state IN ('queued', 'running') RETURNING id`,
    name,
    now,
  );
  const stopped = await stopRollouts(query, now);
  await query("DELETE FROM live WHERE host = $1", name);
  await query("DELETE FROM host WHERE name = $1", name);
  return { kind: "forgotten", cancelled: [...cancelled, ...stopped].map(({ id }) => id) };
}

/** Challenges that a process did not remove, because it was killed, are removed with the next one. */
function createChallenges(query: Query): ChallengeStore {
  return {
    async store(token, answer) {
      await query("DELETE FROM acme_challenge WHERE stored_at < now() - interval '1 day'");
      await query(
        `INSERT INTO acme_challenge (token, answer) VALUES ($1, $2)
         ON CONFLICT (token) DO UPDATE SET answer = excluded.answer, stored_at = now()`,
        token,
        answer,
      );
    },
    async find(token) {
      const [row] = await query<{ answer: string }>(
        "SELECT answer FROM acme_challenge WHERE token = $1",
        token,
      );
      return row?.answer ?? null;
    },
    async remove(token) {
      await query("DELETE FROM acme_challenge WHERE token = $1", token);
    },
  };
}
