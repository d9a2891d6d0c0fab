import type { Clock } from "../domain/clock.ts";
import type { Log } from "../domain/log.ts";

/** What the program needs of the outside, handed in so that tests decide it. */
export interface AppSurroundings {
  readonly clock: Clock;
  readonly log: Log;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Writes one line to standard output. */
  readonly print: (line: string) => void;
}
