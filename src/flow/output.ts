import type { DeploymentStore } from "../domain/deployment.ts";
import type { Log } from "../domain/log.ts";

/** Collects a deployment's lines and keeps them in batches: often enough to follow, seldom enough to be cheap. */
export interface OutputBuffer {
  add(line: string): void;
  /** Resolves when everything added so far is kept. */
  flush(): Promise<void>;
}

const BATCH_MILLISECONDS = 200;
const BATCH_CHARACTERS = 256 * 1024;

/** Output that cannot be kept (a full disk) is told in the log and dropped: the deployment goes on. */
export function bufferOutput(deployment: number, store: DeploymentStore, log: Log): OutputBuffer {
  let lines: string[] = [];
  let characters = 0;
  let timer: ReturnType<typeof setTimeout> | null = null;

  async function flush(): Promise<void> {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    const batch = lines;
    lines = [];
    characters = 0;
    if (batch.length === 0) return;
    try {
      await store.appendOutput(deployment, batch);
    } catch (error) {
      log.warn({ deployment, lines: batch.length, err: error }, "could not keep output");
    }
  }

  return {
    add(line) {
      lines.push(line);
      characters += line.length;
      if (characters >= BATCH_CHARACTERS) void flush();
      else timer ??= setTimeout(flush, BATCH_MILLISECONDS);
    },
    flush,
  };
}
