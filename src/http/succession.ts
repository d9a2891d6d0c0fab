import type { Certificate } from "./certificate.ts";

/** A server of a listener, with the one certificate it was opened with. */
export interface Generation {
  /** Tells each client with its next answer that it is the last one on this connection (RFC 9112, section 9.6). */
  retire(): void;
  /** Takes no new connection, closes those that nothing happens on, and resolves when the others are done. */
  stop(abruptly: boolean): Promise<void>;
}

/** Where the generations follow each other: a port or a unix socket. */
export interface Seat {
  /** Opens the next generation, which gets all new connections from then on. Throws when it cannot; then all is as before. */
  succeed(current: Generation, certificate: Certificate): Generation;
  /** Stops one that was succeeded. */
  leave(retired: Generation): Promise<void>;
}

/**
 * How long in milliseconds a succeeded generation goes on. To stop it cuts who is still in the handshake or has not
 * sent a request yet; after this time there is none: the runtime ends a slow head after 12 s and an idle connection
 * after 60 s, to the next 4 s each, and who was not idle was told to connect again.
 */
const RETIREMENT = 90_000;

/** The succession on one seat. */
export interface Succession {
  renew(certificate: Certificate): void;
  stop(grace: number): Promise<void>;
}

/** Begins a succession. */
export function beginSuccession(first: Generation, seat: Seat, retirement = RETIREMENT): Succession {
  let current = first;
  let isStopping = false;
  const retired = new Map<Generation, ReturnType<typeof setTimeout>>();

  function retire(generation: Generation): void {
    generation.retire();
    const timer = setTimeout(() => {
      // Until its last answer is given it can still be cut by a stop.
      void seat.leave(generation).finally(() => retired.delete(generation));
    }, retirement);
    timer.unref();
    retired.set(generation, timer);
  }

  return {
    renew(certificate) {
      if (isStopping) return;
      const next = seat.succeed(current, certificate);
      retire(current);
      current = next;
    },
    async stop(grace) {
      isStopping = true;
      for (const timer of retired.values()) clearTimeout(timer);
      await Promise.all([...retired.keys(), current].map((generation) => stop(generation, grace)));
    },
  };
}

async function stop(generation: Generation, grace: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const graceOver = new Promise((resolve) => {
    timer = setTimeout(resolve, grace);
  });
  await Promise.race([generation.stop(false), graceOver]);
  clearTimeout(timer);
  await generation.stop(true);
}
