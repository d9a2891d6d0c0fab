/** Text that is written a little later, many lines at once. */
export interface BufferedWriter {
  add(line: string): void;
  /** Writes what waits, as has to be done before anything else is written there, and before the process ends itself. */
  flush(): void;
}

/** Hands on the lines of one turn of the event loop together: under load a write for each would cost most of it. */
export function createBufferedWriter(write: (lines: string) => void): BufferedWriter {
  let waiting = "";
  function flush(): void {
    const lines = waiting;
    waiting = "";
    if (lines !== "") write(lines);
  }
  return {
    add(line) {
      if (waiting === "") setImmediate(flush);
      waiting += line;
    },
    flush,
  };
}
