/** Below those that the system gives to whoever asks for any (ip_local_port_range): it gives none of these away. */
const LOWEST = 20_000;
const HIGHEST = 32_000;

/** Those that this process was given already, and may not have taken yet. */
const given = new Set<number>();

/** A port of loopback that nobody listens on now, for programs that have to be told one; another one each time. */
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
