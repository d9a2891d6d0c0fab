import type { AcceptResult } from "../../domain/delivery.ts";
import type { Store } from "../../domain/store.ts";
import { AppError } from "../../lib/errors.ts";
import { startThread, type Thread, type ThreadListeners } from "../../runtime/index.ts";
import { type AcceptRequest, createStore, type StoreEngine } from "../group.ts";
import {
  copyBodies,
  describeGroup,
  lengthOfBodies,
  type Message,
  type Reply,
  readResults,
  SHARED_BYTES,
  toError,
  toSendable,
} from "./protocol.ts";

/** A thread that runs the SQLite store, so that neither the disk nor SQLite holds up the event loop. */
export interface StoreThread {
  /** Opens the store as `openSqlite` does. Closing the store ends the thread. Call it once. */
  open(dataDirectory: string): Promise<Store>;
  /**
   * Resolves when the thread ends before it should, with the reason. Every call that waited has been rejected as
   * `unavailable`, and so is every later one: the process has to be started again. Never rejects.
   */
  readonly failed: Promise<string>;
  /** Ends the thread. For a store that was not opened, or is not needed any more. */
  end(): void;
}

/** A call that waits for the thread's reply. */
interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Starts the thread, which loads its modules at once: early in a process, that takes no time of its own. */
export function startStoreThread(
  start: (listeners: ThreadListeners) => Thread = (listeners) =>
    startThread("store/thread/main.ts", listeners),
): StoreThread {
  const failed = Promise.withResolvers<string>();
  const memory = new SharedArrayBuffer(SHARED_BYTES);
  const shared = new Uint8Array(memory);
  /** The calls without a reply, in the order in which they were made, which is that of the replies. */
  let pending: Pending[] = [];
  let isMemoryInUse = false;
  /** Why calls are rejected; null while the thread runs. */
  let closed: string | null = null;
  const thread = start({ onMessage: (message) => receive(message as Reply), onEnd: fail });

  function receive(reply: Reply): void {
    const call = pending.shift();
    if (typeof reply === "string") call?.resolve(readResults(reply));
    else if (reply.kind === "done") call?.resolve(reply.value);
    else call?.reject(toError(reply.error));
  }

  function fail(reason: string): void {
    if (closed !== null) return;
    closed = `the store's thread ended: ${reason}`;
    const calls = pending;
    pending = [];
    for (const { reject } of calls) reject(new AppError("unavailable", closed));
    failed.resolve(reason);
  }

  function end(): void {
    closed ??= "the store is closed";
    thread.end();
  }

  function call(message: Message, moved: readonly ArrayBuffer[] = []): Promise<unknown> {
    if (closed !== null) return Promise.reject(new AppError("unavailable", closed));
    return new Promise((resolve, reject) => {
      // First: a message that cannot be copied throws, and gets no reply.
      thread.post(message, moved);
      pending.push({ resolve, reject });
    });
  }

  async function acceptGroup(group: readonly AcceptRequest[]): Promise<readonly AcceptResult[]> {
    const length = lengthOfBodies(group);
    if (isMemoryInUse || length > SHARED_BYTES) {
      const bodies = new Uint8Array(length);
      copyBodies(group, bodies);
      const message = { kind: "group", description: describeGroup(group), bodies } as const;
      return (await call(message, [bodies.buffer])) as readonly AcceptResult[];
    }
    isMemoryInUse = true;
    try {
      copyBodies(group, shared);
      return (await call(describeGroup(group))) as readonly AcceptResult[];
    } finally {
      isMemoryInUse = false;
    }
  }

  const engine: StoreEngine = {
    acceptGroup,
    act: (async (name, args) => {
      if (name === "close" && closed !== null) return;
      const value = await call({ kind: "act", name, args: args.map(toSendable) });
      if (name === "close") end();
      return value;
    }) as StoreEngine["act"],
  };

  return {
    failed: failed.promise,
    end,
    async open(dataDirectory) {
      await call({ kind: "open", dataDirectory, memory });
      return createStore(engine);
    },
  };
}
