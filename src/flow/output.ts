import { type DeploymentStore, MAX_OUTPUT_BYTES } from "../domain/deployment.ts";
import type { PublishEvent } from "../domain/server-event.ts";
import type { Log } from "../lib/log.ts";

/** Collects a deployment's lines and keeps them in batches: often enough to follow, seldom enough to be cheap. */
export interface OutputBuffer {
  /** Takes a line, and keeps a full batch before it returns where the store works at once. */
  add(line: string): void;
  /** Resolves when everything added so far is kept. */
  flush(): Promise<void>;
}

/** What keeping output works with. */
export interface OutputTools {
  readonly store: Pick<DeploymentStore, "appendOutput">;
  readonly log: Log;
  readonly publish: PublishEvent;
}

const BATCH_MILLISECONDS = 200;
const BATCH_CHARACTERS = 256 * 1024;

/** What a line costs besides its characters, in memory and as a row. */
const LINE_COST = 64;

/** How many batches may wait for the store: what it keeps of one deployment. Of more it would cut the middle anyway. */
const MOST_WAITING = MAX_OUTPUT_BYTES / BATCH_CHARACTERS;

/**
 * Keeps one batch, and then all that came meanwhile as the next. Should the store be slower than the commands, the
 * oldest lines that wait go, and a line in their place says how many. Output that cannot be kept (a full disk) is told
 * in the log and dropped: the deployment goes on.
 */
export function createOutputBuffer(deployment: number, { store, log, publish }: OutputTools): OutputBuffer {
  const waiting: string[][] = [];
  let lines: string[] = [];
  let characters = 0;
  let dropped = 0;
  let timer: ReturnType<typeof setTimeout> | null = null;
  let keeping: Promise<void> | null = null;

  function closeBatch(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (lines.length === 0) return;
    if (waiting.length >= MOST_WAITING) dropped += waiting.shift()?.length ?? 0;
    waiting.push(lines);
    lines = [];
    characters = 0;
    keeping ??= keepWaiting();
  }

  async function keepWaiting(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting.splice(0).flat();
      if (dropped > 0) batch.unshift(describeDropped(dropped));
      dropped = 0;
      try {
        await store.appendOutput(deployment, batch);
        publish({ kind: "output", deployment });
      } catch (error) {
        log.warn({ deployment, lines: batch.length, err: error }, "could not keep output");
      }
    }
    // Not any later: a batch that is closed from now on has to find that nobody keeps it.
    keeping = null;
  }

  return {
    add(line) {
      lines.push(line);
      characters += line.length + LINE_COST;
      if (characters >= BATCH_CHARACTERS) closeBatch();
      else timer ??= setTimeout(closeBatch, BATCH_MILLISECONDS);
    },
    async flush() {
      closeBatch();
      await keeping;
    },
  };
}

function describeDropped(lines: number): string {
  const what = `${lines.toLocaleString("en-US")} ${lines === 1 ? "line" : "lines"}`;
  return `[… ${what} dropped: they came faster than they could be kept …]`;
}
