import { isMainThread, workerData } from "node:worker_threads";

/**
 * The entry of the bundle for Deno. It is one file, which every thread loads: the first one runs the program, another one
 * runs the module that it was started with.
 */
const THREADS: Readonly<Record<string, () => Promise<unknown>>> = {
  "store/thread/main.ts": () => import("./store/thread/main.ts"),
};

await (isMainThread ? import("./main.ts") : THREADS[String(workerData)]?.());
