import { parentPort, Worker } from "node:worker_threads";
import { errorMessage } from "../../lib/errors.ts";
import type { Thread, ThreadListeners } from "../contract.ts";

export function startThread(module: string, { onMessage, onEnd }: ThreadListeners): Thread {
  // The bundle is one file, which finds the module by its name in `workerData`.
  const isBundle = !import.meta.url.endsWith("/runtime/deno/thread.ts");
  const url = isBundle ? new URL(import.meta.url) : new URL(`../../${module}`, import.meta.url);
  const worker = new Worker(url, { workerData: module });
  let cause: string | null = null;
  worker.on("message", onMessage);
  worker.on("error", (error) => {
    cause = errorMessage(error);
  });
  worker.on("exit", () => onEnd(cause ?? "it exited"));
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
