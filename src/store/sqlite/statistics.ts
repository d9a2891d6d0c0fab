import { statSync } from "node:fs";
import type { StoreStatistics } from "../../domain/store.ts";
import type { Connection } from "./connection.ts";

/** The part of the store that reports its figures, and whether it works. */
export function createStatistics(connection: Connection) {
  const count = connection.prepare<{ queued: number; running: number }>(`
    SELECT (SELECT count(*) FROM deployment WHERE state = 'queued') AS queued,
      (SELECT count(*) FROM deployment WHERE state = 'running') AS running`);
  const write = connection.prepare<never, { at: number }>("UPDATE probe SET at = $at");
  return {
    readStatistics: (): Promise<StoreStatistics> =>
      connection.attempt(() => {
        const { queued = 0, running = 0 } = count.get({}) ?? {};
        return { bytes: sizeOf(connection.file) + sizeOf(`${connection.file}-wal`), queued, running };
      }),
    probe: (now: Date): Promise<void> =>
      connection.attempt(() => {
        write.run({ at: now.getTime() });
      }),
  };
}

/** In bytes; 0 for a missing file. */
function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
