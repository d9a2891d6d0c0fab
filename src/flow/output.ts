import { MAX_OUTPUT_BYTES } from "../domain/deployment.ts";
import type { Store } from "../domain/store.ts";
import { replaceNul } from "../lib/text.ts";
import type { FlowServices } from "./services.ts";

/** Collects a deployment's lines and stores them in batches. */
export interface OutputBuffer {
  /**
   * Adds a line, with U+FFFD in place of NUL. Where the store works synchronously, a full batch is stored before this
   * returns.
   */
  add(line: string): void;
  /** Resolves when every line added so far is stored. */
  flush(): Promise<void>;
}

/** Short enough to follow the output, long enough to write few batches. */
const BATCH_MILLISECONDS = 200;
const BATCH_CHARACTERS = 256 * 1024;

/** The cost of a line besides its characters, in memory and as a row. */
const LINE_COST = 64;

/** How many batches may wait for the store: together as much output as it stores of one deployment. */
const MAX_WAITING = MAX_OUTPUT_BYTES / BATCH_CHARACTERS;

/**
 * Creates an {@link OutputBuffer}. When the store is slower than the commands, the oldest waiting lines are dropped, and
 * a line in their place says how many. Output that cannot be stored (a full disk) is logged and dropped; the deployment
 * continues.
 */
export function createOutputBuffer(
  deployment: number,
  {
    store,
    log,
    publish,
  }: Pick<FlowServices, "log" | "publish"> & { readonly store: Pick<Store, "appendOutput"> },
): OutputBuffer {
  const waiting: string[][] = [];
  let lines: string[] = [];
  let characters = 0;
  let dropped = 0;
  let timer: ReturnType<typeof setTimeout> | null = null;
  let storing: Promise<void> | null = null;

  function closeBatch(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (lines.length === 0) return;
    if (waiting.length >= MAX_WAITING) dropped += waiting.shift()?.length ?? 0;
    waiting.push(lines);
    lines = [];
    characters = 0;
    storing ??= storeWaiting();
  }

  async function storeWaiting(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting.splice(0).flat();
      if (dropped > 0) batch.unshift(describeDropped(dropped));
      dropped = 0;
      try {
        await store.appendOutput(deployment, batch);
        publish({ kind: "output", deployment });
      } catch (error) {
        log.warn({ deployment, lines: batch.length, err: error }, "could not save output");
      }
    }
    // Without an await since the check, so that the next closed batch starts this again.
    storing = null;
  }

  return {
    add(line) {
      lines.push(replaceNul(line));
      characters += line.length + LINE_COST;
      if (characters >= BATCH_CHARACTERS) closeBatch();
      else timer ??= setTimeout(closeBatch, BATCH_MILLISECONDS);
    },
    async flush() {
      closeBatch();
      await storing;
    },
  };
}

function describeDropped(lines: number): string {
  const what = `${lines.toLocaleString("en-US")} ${lines === 1 ? "line" : "lines"}`;
  return `[… ${what} dropped: the output arrived faster than it could be stored …]`;
}
