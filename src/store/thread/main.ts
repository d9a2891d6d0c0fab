import { receiveInThread } from "../../runtime/index.ts";
import type { AcceptRequest, StoreActs, StoreEngine } from "../group.ts";
import { openEngine } from "../sqlite/index.ts";
import { describeError, describeResults, type Message, type Reply, readGroup } from "./protocol.ts";

/** What runs in the thread of the store: the engine, and the handling of one message after the other. */

let engine: StoreEngine | null = null;
let memory: Uint8Array = new Uint8Array(0);
let lastReply: Promise<void> = Promise.resolve();

const send = receiveInThread((message) => {
  lastReply = lastReply.then(async () => send(await reply(message as Message)));
});

async function reply(message: Message): Promise<Reply> {
  try {
    return await handle(message);
  } catch (error) {
    return { kind: "failed", error: describeError(error) };
  }
}

async function handle(message: Message): Promise<Reply> {
  if (typeof message === "object" && message.kind === "open") {
    memory = new Uint8Array(message.memory);
    engine = await openEngine(message.dataDirectory);
    return { kind: "done", value: null };
  }
  if (engine === null) throw new Error("the store is not open");
  if (typeof message === "string") {
    // A copy, because the other thread can write to this memory.
    return acceptGroup(
      engine,
      readGroup(message, (length) => memory.slice(0, length)),
    );
  }
  if (message.kind === "group") {
    return acceptGroup(
      engine,
      readGroup(message.description, () => message.bodies),
    );
  }
  const args = message.args as Parameters<StoreActs[typeof message.name]>;
  return { kind: "done", value: await engine.act(message.name, args) };
}

async function acceptGroup(opened: StoreEngine, group: readonly AcceptRequest[]): Promise<Reply> {
  return describeResults(await opened.acceptGroup(group));
}
