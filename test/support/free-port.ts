/** Below the ephemeral ports (ip_local_port_range), so that the system does not assign these ports itself. */
const LOWEST = 20_000;
const HIGHEST = 32_000;

/** The ports that were returned before, and may not be in use yet. */
const given = new Set<number>();

/** A free port on loopback, for programs that need a fixed port. Returns a different one each time. */
export function freePort(): number {
  for (;;) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if (given.has(port) || !isFree(port)) continue;
    given.add(port);
    return port;
  }
}

function isFree(port: number): boolean {
  try {
    void Bun.serve({ hostname: "127.0.0.1", port, fetch: () => new Response() }).stop(true);
    return true;
  } catch {
    return false;
  }
}
