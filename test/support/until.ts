import type { Server } from "./executable.ts";

/** Resolves when `condition` holds: for what announces itself to nobody, such as a file that appears. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(5);
}

/** Resolves when the server is gone, by whatever killed it. */
export async function untilGone(server: Server): Promise<void> {
  await until(() => !isAlive(server.pid));
  // Reads what it wrote last.
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
