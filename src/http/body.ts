import type { BodyBudget } from "./body-budget.ts";

/** A request's body, or why it was not read. */
export type BodyOutcome =
  | {
      readonly kind: "read";
      readonly bytes: Uint8Array;
      /** Call it when the body is no longer needed. */
      readonly release: () => void;
    }
  | { readonly kind: "too large" }
  /** The budget is used up. The sender may try again. */
  | { readonly kind: "no room" }
  /** The connection ended, or took too long: the sender gets no response. */
  | { readonly kind: "incomplete" };

/** Bodies up to this size, in bytes, are read in one piece; larger ones are counted while they arrive. */
const SMALL = 64 * 1024;

/** Whether the Content-Length alone says that the body is over `limit` bytes. */
export function declaresMoreThan(limit: number, headers: Headers): boolean {
  return Number(headers.get("content-length") ?? 0) > limit;
}

/**
 * Reads the whole body, with or without a Content-Length. Stops as soon as it is over `limit` bytes, or the budget of
 * all requests together is used up.
 */
export async function readBody(request: Request, limit: number, budget: BodyBudget): Promise<BodyOutcome> {
  const length = Number(request.headers.get("content-length") ?? Number.NaN);
  return length <= SMALL && !budget.isScarce()
    ? readWhole(request, length, budget)
    : readChunks(request, limit, budget);
}

/** A small body in one piece, counted by its Content-Length: the server lets no byte more through. */
async function readWhole(request: Request, length: number, budget: BodyBudget): Promise<BodyOutcome> {
  // The runtime's own reading cannot be cancelled.
  const reservation = budget.reserve(null);
  try {
    if (!reservation.add(length)) return { kind: "no room" };
    return { kind: "read", bytes: await request.bytes(), release: reservation.release };
  } catch {
    reservation.release();
    return { kind: "incomplete" };
  }
}

/** A body that is large or of unknown size, or any while the budget is scarce: counted while it arrives. */
async function readChunks(request: Request, limit: number, budget: BodyBudget): Promise<BodyOutcome> {
  const reader = request.body?.getReader();
  const reservation = budget.reserve(() => void reader?.cancel());
  const giveUp = (kind: "too large" | "no room" | "incomplete"): BodyOutcome => {
    reservation.release();
    return { kind };
  };
  try {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for (let next = await reader?.read(); next !== undefined && !next.done; next = await reader?.read()) {
      size += next.value.byteLength;
      if (size > limit) {
        // Otherwise the runtime buffers bytes nobody reads.
        void reader?.cancel();
        return giveUp("too large");
      }
      if (!reservation.add(next.value.byteLength)) return giveUp("no room");
      chunks.push(next.value);
    }
    // A cancelled reader ends as if the body had.
    if (!reservation.add(0)) return giveUp("no room");
    return { kind: "read", bytes: Buffer.concat(chunks, size), release: reservation.release };
  } catch {
    return giveUp(reservation.add(0) ? "incomplete" : "no room");
  }
}
