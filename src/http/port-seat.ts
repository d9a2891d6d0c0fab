import type { Certificate } from "./certificate.ts";
import { type KernelPort, loadKernelPort } from "./kernel-port.ts";
import type { Generation, Seat } from "./succession.ts";

/** How a server is opened on the port. */
export interface PortSeatTools {
  readonly port: number;
  /** Opens it beside those that are there (`shared`), or alone. Throws when it cannot. */
  open(certificate: Certificate, shared: boolean): Generation;
  /** Throws when the runtime would not serve with this certificate. */
  tryOut(certificate: Certificate): void;
  /** Null where the kernel cannot be told who gets the new connections. */
  readonly load?: () => KernelPort | null;
}

/**
 * The seat that is a port. The first server has it to itself, so that a second hooklatch cannot have it; for the next
 * one it is shared, and the kernel told to send all new connections there. So none is lost: the other ways lose one or
 * two of those that come in the moment of the change.
 */
export function createPortSeat(first: Generation, tools: PortSeatTools): Seat {
  const { port, open, tryOut, load = loadKernelPort } = tools;
  /** Everybody on the port, in the kernel's order (see {@link KernelPort}). */
  const seated = [first];
  let kernel: KernelPort | null | undefined;
  let newest = first;

  function remove(generation: Generation): void {
    const place = seated.indexOf(generation);
    const last = seated.pop();
    if (last !== undefined && place >= 0 && place < seated.length) seated[place] = last;
  }

  function leave(generation: Generation): Promise<void> {
    const stopped = generation.stop(false);
    if (seated.includes(generation)) {
      remove(generation);
      kernel?.steer(port, seated.indexOf(newest));
    }
    return stopped;
  }

  return {
    succeed(current, certificate) {
      kernel ??= load();
      if (kernel?.share(port)) {
        newest = open(certificate, true);
        seated.push(newest);
        // Unsteered, half of those who connect would still see the old certificate.
        if (!kernel.steer(port, seated.length - 1)) void leave(current);
        return newest;
      }
      tryOut(certificate);
      void leave(current);
      newest = open(certificate, false);
      seated.push(newest);
      return newest;
    },
    leave,
  };
}
