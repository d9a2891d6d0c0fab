import type { BodyBudget } from "./body-budget.ts";

/** A request's body, or why it was not taken. */
export type BodyOutcome =
  | {
      readonly kind: "read";
      readonly bytes: Uint8Array;
      /** To be called when the body is no longer needed. */
      readonly release: () => void;
    }
  | { readonly kind: "too large" }
  /** Too much is held for others: this one may be sent again. */
  | { readonly kind: "no room" }
  /** The sender hung up, or took too long: nobody is there to be answered. */
  | { readonly kind: "incomplete" };

/** Bodies up to this size are taken in one piece; larger ones are counted as they come. In bytes. */
const SMALL = 64 * 1024;

/** Whether the Content-Length alone says that the body is over `limit` bytes. */
export function declaresMoreThan(limit: number, headers: Headers): boolean {
  return Number(headers.get("content-length") ?? 0) > limit;
}

/**
 * Reads the whole body, with or without a Content-Length, and stops as soon as it is over `limit` bytes, or
 * when `unverified` bytes of all requests together are too many.
 */
export async function readBody(
  request: Request,
  limit: number,
  unverified: BodyBudget,
): Promise<BodyOutcome> {
  const length = Number(request.headers.get("content-length") ?? Number.NaN);
  return length <= SMALL && !unverified.isScarce()
    ? readWhole(request, length, unverified)
    : readChunks(request, limit, unverified);
}

/** A small body in one piece, counted by its Content-Length: the server lets no byte more through. */
async function readWhole(request: Request, length: number, unverified: BodyBudget): Promise<BodyOutcome> {
  // Nothing ends the runtime's own reading.
  const holding = unverified.hold(null);
  try {
    if (!holding.add(length)) return { kind: "no room" };
    return { kind: "read", bytes: await request.bytes(), release: holding.release };
  } catch {
    holding.release();
    return { kind: "incomplete" };
  }
}

/** A body that is large or of unknown size, or any where room is scarce: counted as it comes. */
async function readChunks(request: Request, limit: number, unverified: BodyBudget): Promise<BodyOutcome> {
  const reader = request.body?.getReader();
  const holding = unverified.hold(() => void reader?.cancel());
  const giveUp = (kind: "too large" | "no room" | "incomplete"): BodyOutcome => {
    holding.release();
    return { kind };
  };
  try {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for (let next = await reader?.read(); next !== undefined && !next.done; next = await reader?.read()) {
      size += next.value.byteLength;
      if (size > limit) {
        // Else what still comes would be kept for a reader that there is not.
        void reader?.cancel();
        return giveUp("too large");
      }
      if (!holding.add(next.value.byteLength)) return giveUp("no room");
      chunks.push(next.value);
    }
    // A cancelled reader ends as if the body had.
    if (!holding.add(0)) return giveUp("no room");
    return { kind: "read", bytes: Buffer.concat(chunks, size), release: holding.release };
  } catch {
    return giveUp(holding.add(0) ? "incomplete" : "no room");
  }
}
