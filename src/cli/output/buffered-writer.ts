/** Collects text and writes it in one call. */
export interface BufferedWriter {
  add(line: string): void;
  /** Writes the collected text now, as is required before other text is written there or the process exits. */
  flush(): void;
}

/** Writes the lines of one turn of the event loop together: one call per line costs most of the time under load. */
export function createBufferedWriter(write: (lines: string) => void): BufferedWriter {
  let pending = "";
  function flush(): void {
    const lines = pending;
    pending = "";
    if (lines !== "") write(lines);
  }
  return {
    add(line) {
      if (pending === "") setImmediate(flush);
      pending += line;
    },
    flush,
  };
}
