import { randomUUID } from "node:crypto";
import type { Store } from "../../domain/store.ts";
import { AppError } from "../../lib/errors.ts";
import { requireAddress } from "../../lib/postgres-url.ts";
import { createStore, type StoreActs, type StoreEngine } from "../group.ts";
import { acceptGroup } from "./accept.ts";
import { type Channel, openChannel } from "./channel.ts";
import { createClients, createPublishedRanges, createStatistics } from "./clients.ts";
import { type Database, openDatabase, toClientConfig } from "./connection.ts";
import { createDeliveries } from "./deliveries.ts";
import { createDeployments, type Member } from "./deployments.ts";
import { describeOpenError } from "./errors.ts";
import { createFleet, joinAsHost, leave } from "./fleet.ts";
import { readLeaseTimes } from "./lease.ts";
import { createLocks, readLock } from "./locks.ts";
import { migrate } from "./migrate.ts";
import { createNotifications } from "./notifications.ts";
import { createOutput } from "./output.ts";
import { createReadDeployments } from "./read.ts";
import { createRetention } from "./retention.ts";

/** A database that was logged in to. */
export interface FoundDatabase {
  /** Such as `15.14`. */
  readonly version: string;
  /** The names of the hosts that share the store in it; empty before the first start. */
  readonly hosts: readonly string[];
}

/** Where a store in Postgres is. */
export interface PostgresPlace {
  /** `postgres://…`, with a password. */
  readonly url: string;
  /** The name of the host whose deployments this process runs. */
  readonly host: string;
  /** Milliseconds for which a one-by-one rollout waits for a host that is away; 10 minutes by default. */
  readonly patience?: number;
}

const PATIENCE = 10 * 60_000;

/**
 * Opens the store in a Postgres database, creates or upgrades its schema, and makes this process the one of its host. Rejects
 * with an {@link AppError}: `failed` when the database cannot be used, a newer hooklatch wrote it, or another process uses the
 * name of the host.
 */
export async function openPostgres({ url, host, patience = PATIENCE }: PostgresPlace): Promise<Store> {
  const address = requireAddress(url);
  const member: Member = { host, worker: randomUUID(), patience };
  const database = openDatabase(address, `hooklatch ${host}`);
  let channel: Channel | null = null;
  try {
    await migrate(database);
    channel = await openChannel({
      ...member,
      config: toClientConfig(address, `hooklatch ${host}, changes`),
      query: database.query,
      readDeployment: createReadDeployments(database.query, host).readDeployment,
      readLock: (target) => readLock(database.query, target, new Date()),
    });
    await joinAsHost(database, channel, member);
    const engine = createEngine(database, channel, member);
    const times = await readLeaseTimes(database.query, patience);
    return createStore(engine, { host, fleet: createFleet(database, channel, member, times) });
  } catch (error) {
    await channel?.close();
    await database.close();
    throw describeOpenError(error instanceof AppError && error.code === "unavailable" ? error.cause : error);
  }
}

/** Logs in to a database and changes nothing. Rejects as {@link openPostgres} does. */
export async function probePostgres(url: string): Promise<FoundDatabase> {
  const database = openDatabase(requireAddress(url), "hooklatch check");
  try {
    const [row] = await database.query<{ version: string; hasHosts: boolean }>(
      `SELECT split_part(current_setting('server_version'), ' ', 1) AS version,
         to_regclass('hooklatch.host') IS NOT NULL AS "hasHosts"`,
    );
    const hosts = row?.hasHosts
      ? await database.query<{ name: string }>("SELECT name FROM host ORDER BY name")
      : [];
    return { version: row?.version ?? "of an unknown version", hosts: hosts.map(({ name }) => name) };
  } catch (error) {
    throw describeOpenError(error instanceof AppError && error.code === "unavailable" ? error.cause : error);
  } finally {
    await database.close();
  }
}

function createEngine(database: Database, channel: Channel, member: Member): StoreEngine {
  const { query } = database;
  const acts: StoreActs = {
    ...createClients(query),
    ...createDeliveries(query),
    ...createDeployments(database, member),
    ...createOutput(database),
    ...createLocks(database, member.host),
    ...createNotifications(database, member.worker),
    ...createPublishedRanges(query),
    ...createStatistics(query),
    ...createRetention(database),
    close: createClose(database, channel, member),
  };
  return {
    acceptGroup: (group) => acceptGroup(database, member.host, group),
    act: (name, args) =>
      (acts[name] as (...given: typeof args) => ReturnType<StoreActs[typeof name]>)(...args),
  };
}

/** Ends the lease after everything that was called before. A second call does nothing. */
function createClose(database: Database, channel: Channel, member: Member): () => Promise<void> {
  let closed: Promise<void> | null = null;
  async function close(): Promise<void> {
    // After the acts of the write lane. Where the database is away, the lease ends by itself.
    await database.write((query) => leave(query, member)).catch(() => {});
    await Promise.all([channel.close(), database.close()]);
  }
  return () => {
    closed ??= close();
    return closed;
  };
}
