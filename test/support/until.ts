import type { Server } from "./executable.ts";

/** Polls until `condition` is true, for changes without a notification, such as a new file. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(5);
}

/** Resolves when the process of the server has ended for any reason. */
export async function untilGone(server: Server): Promise<void> {
  await until(() => !isAlive(server.pid));
  // Collects the remaining output.
  await server.end("SIGKILL");
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
