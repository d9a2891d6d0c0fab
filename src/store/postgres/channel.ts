import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { Deployment } from "../../domain/deployment.ts";
import type { RemoteChange } from "../../domain/host.ts";
import type { Lock } from "../../domain/lock.ts";
import type { ServerEvent } from "../../domain/server-event.ts";
import type { Query } from "./connection.ts";

/** What is sent: small, because Postgres refuses payloads of 8,000 bytes. The receiver reads the rest. */
type Message =
  | { readonly kind: "deployment"; readonly id: number }
  | { readonly kind: "lock"; readonly target: string }
  | { readonly kind: "cancel"; readonly host: string }
  | Exclude<ServerEvent, { readonly kind: "deployment" | "lock" }>;

/** Carries changes between processes: LISTEN on a connection of its own, and NOTIFY. */
export interface Channel {
  subscribe(listener: (change: RemoteChange) => void): () => void;
  /** Sends a message soon, together with others. Never throws: whoever depends on it polls as well. */
  send(message: Message): void;
  /** Locks a name until the connection ends, and so the process. Resolves with whether that succeeded. */
  lockName(name: string): Promise<boolean>;
  close(): Promise<void>;
}

/** The process and the store of a channel. */
export interface ChannelOptions {
  readonly config: pg.ClientConfig;
  /** The process. Its own messages are not passed on. */
  readonly worker: string;
  readonly host: string;
  readonly query: Query;
  readonly readDeployment: (id: number) => Promise<Deployment | null>;
  readonly readLock: (target: string) => Promise<Lock | null>;
}

/** Milliseconds in which messages are collected. */
const COLLECT = 10;

/** Milliseconds between two checks of the connection, and before it is opened again. */
const CHECK_EVERY = 10_000;
const RECONNECT_AFTER = 500;

/** Bytes of a payload (https://www.postgresql.org/docs/current/sql-notify.html). */
const MAX_PAYLOAD = 7_900;

/** First key of the locks of names, beside that of the write lane. */
const NAMES = 1752131436;

/** Opens the channel. Rejects when the database cannot be reached; later it connects again by itself. */
export async function openChannel(options: ChannelOptions): Promise<Channel> {
  const { config, worker, host, query } = options;
  const listeners = new Set<(change: RemoteChange) => void>();
  const closing = new AbortController();
  let waiting: Message[] = [];
  let sending: Promise<void> = Promise.resolve();
  let receiving: Promise<void> = Promise.resolve();
  /** The name that this process has locked. */
  let lockedName: string | null = null;
  let ended: Promise<void> = Promise.resolve();
  let client = await connect();
  const keeping = keepConnected();

  async function connect(): Promise<pg.Client> {
    const next = new pg.Client(config);
    // A cut connection is found by the next check.
    next.on("error", () => {});
    next.on("notification", ({ payload = "" }) => {
      receiving = receiving.then(() => receive(payload)).catch(() => {});
    });
    await next.connect();
    await next.query("LISTEN hooklatch");
    if (lockedName !== null) await tryToLock(next, lockedName);
    ended = new Promise((resolve) => next.once("end", () => resolve()));
    return next;
  }

  async function keepConnected(): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        await Promise.race([ended, sleep(CHECK_EVERY, undefined, { signal: closing.signal })]);
        await client.query("SELECT 1");
      } catch {
        if (closing.signal.aborted) return;
        await client.end().catch(() => {});
        await sleep(RECONNECT_AFTER);
        client = await connect().catch(() => client);
      }
    }
  }

  async function receive(payload: string): Promise<void> {
    const { from, message } = JSON.parse(payload) as { readonly from: string; readonly message: Message };
    if (from === worker) return;
    const change = await toChange(message);
    if (change !== null) for (const listener of [...listeners]) listener(change);
  }

  async function toChange(message: Message): Promise<RemoteChange | null> {
    if (message.kind === "cancel") return message.host === host ? { kind: "cancel" } : null;
    if (message.kind === "deployment") {
      const deployment = await options.readDeployment(message.id);
      return deployment && { kind: "event", event: { kind: "deployment", deployment } };
    }
    if (message.kind === "lock") {
      const { target } = message;
      return { kind: "event", event: { kind: "lock", target, lock: await options.readLock(target) } };
    }
    return { kind: "event", event: message };
  }

  async function flush(): Promise<void> {
    const payloads = waiting.splice(0).map((message) => toPayload(message, worker));
    // Equal ones are sent once, such as those about output that grows.
    const unique = [...new Set(payloads)];
    await query("SELECT pg_notify('hooklatch', payload) FROM unnest($1::text[]) AS payload", unique);
  }

  return {
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    send(message) {
      if (closing.signal.aborted) return;
      waiting.push(message);
      if (waiting.length > 1) return;
      // After the messages before, which another connection might overtake.
      sending = sending
        .then(() => sleep(COLLECT))
        .then(flush)
        .catch(() => {
          waiting = [];
        });
    },
    async lockName(name) {
      lockedName = name;
      return tryToLock(client, name);
    },
    async close() {
      await sending;
      closing.abort();
      await keeping;
      await client.end().catch(() => {});
    },
  };
}

async function tryToLock(client: pg.Client, name: string): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(
    `SELECT pg_try_advisory_lock(${NAMES}, hashtext($1)) AS locked`,
    [name],
  );
  return rows[0]?.locked === true;
}

function toPayload(message: Message, from: string): string {
  const payload = JSON.stringify({ from, message });
  if (Buffer.byteLength(payload) <= MAX_PAYLOAD || message.kind !== "delivery") return payload;
  return JSON.stringify({ from, message: { ...message, reason: null } });
}

/** The message about an event. */
export function toMessage(event: ServerEvent): Message {
  if (event.kind === "deployment") return { kind: "deployment", id: event.deployment.id };
  return event.kind === "lock" ? { kind: "lock", target: event.target } : event;
}
