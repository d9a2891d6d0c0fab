import { startThread } from "../../src/runtime/index.ts";
import { type StoreThread, startStoreThread } from "../../src/store/thread/index.ts";

/**
 * Starts the thread of the store. Its messages are delivered by timers: `expect(…).rejects` in the continuation of a
 * message would wait for the next one for ever (Bun 1.4.5).
 */
export function startTestThread(): StoreThread {
  return startStoreThread(({ onMessage, onEnd }) =>
    startThread("store/thread/main.ts", {
      onMessage: (message) => setImmediate(() => onMessage(message)),
      onEnd: (reason) => setImmediate(() => onEnd(reason)),
    }),
  );
}
