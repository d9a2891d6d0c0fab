import { parentPort } from "node:worker_threads";
import type { Thread, ThreadListeners } from "../contract.ts";

export function startThread(module: string, { onMessage, onEnd }: ThreadListeners): Thread {
  // A compiled executable names its entry points from their common directory, which is `src`
  // (https://bun.com/docs/bundler/executables#worker).
  const url = Bun.isStandaloneExecutable ? `./${module}` : new URL(`../../${module}`, import.meta.url);
  // A small heap: what the thread handles is short-lived.
  const worker = new Worker(url, { smol: true });
  let cause: string | null = null;
  worker.onmessage = ({ data }: MessageEvent<unknown>) => onMessage(data);
  worker.onerror = (event) => {
    // Otherwise Bun throws it here too.
    event.preventDefault();
    cause = event.message;
  };
  worker.addEventListener("close", () => onEnd(cause ?? "it exited"));
  return {
    post: (message, moved = []) => worker.postMessage(message, [...moved]),
    end: () => void worker.terminate(),
  };
}

export function receiveInThread(onMessage: (message: unknown) => void): (message: unknown) => void {
  if (parentPort === null) throw new Error("this is no thread");
  const port = parentPort;
  port.on("message", onMessage);
  return (message) => port.postMessage(message);
}
