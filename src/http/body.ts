import { setImmediate as nextTurn } from "node:timers/promises";
import { createGrowingBuffer } from "../lib/growing-buffer.ts";
import type { BodyBudget } from "./body-budget.ts";

/** A request's body, or why it was not read. */
export type BodyOutcome =
  /** Call `release` when the body is no longer needed. */
  | { readonly kind: "read"; readonly bytes: Uint8Array; readonly release: () => void }
  | { readonly kind: "too large" }
  /** It comes in so many small chunks that reading it would delay others. */
  | { readonly kind: "fragmented" }
  /** The budget is used up. The sender may try again. */
  | { readonly kind: "no room" }
  /** The connection ended or timed out, so that the sender gets no response. */
  | { readonly kind: "incomplete" };

/** In bytes. Larger bodies are read in chunks. */
const SMALL = 64 * 1024;

/** In bytes: what a request counts at least, because its stream takes memory too. */
const SMALLEST_COST = 4 * 1024;

/**
 * The limit for the number of chunks: this many, and one more for each so many bytes. Reading a chunk takes a
 * microsecond or more, and the runtime passes on all that arrived in one turn of the event loop.
 */
const MAX_SMALL_CHUNKS = 1024;
const BYTES_PER_CHUNK = 256;

const UTF8_NAMES = ["utf-8", '"utf-8"', "utf8", '"utf8"'];

/** Whether a request's body has one of the media types and no Content-Encoding. */
export function isAcceptedContent(headers: Headers, accepted: readonly string[]): boolean {
  return !headers.has("content-encoding") && isAcceptedMediaType(headers.get("content-type"), accepted);
}

/**
 * Whether a Content-Type header is one of `accepted`, where `*` stands for any text, as in `application/*+json` (RFC 6839).
 * Any parameters are allowed except a `charset` other than UTF-8
 * (RFC 9110, section 8.3; JSON is UTF-8 by RFC 8259).
 */
export function isAcceptedMediaType(header: string | null, accepted: readonly string[]): boolean {
  if (accepted.some((each) => each === header)) return true;
  const [type = "", ...parameters] = (header ?? "").toLowerCase().split(";");
  if (!accepted.some((each) => matchesType(type.trim(), each))) return false;
  return parameters
    .map((parameter) => /^\s*charset\s*=\s*(.*?)\s*$/.exec(parameter)?.[1])
    .every((charset) => charset === undefined || UTF8_NAMES.includes(charset));
}

function matchesType(type: string, accepted: string): boolean {
  const [start = "", end] = accepted.split("*");
  if (end === undefined) return type === accepted;
  // Something must take the place of the `*`.
  return type.length > accepted.length - 1 && type.startsWith(start) && type.endsWith(end);
}

/** Whether Content-Length is greater than `limit` bytes. */
export function declaresMoreThan(limit: number, headers: Headers): boolean {
  return Number(headers.get("content-length") ?? 0) > limit;
}

/** Reads a body, and stops as soon as it is larger than `limit` bytes or the budget is used up. */
export function readBody(request: Request, limit: number, budget: BodyBudget): Promise<BodyOutcome> {
  const length = Number(request.headers.get("content-length") ?? Number.NaN);
  return length <= SMALL && !budget.isScarce()
    ? readWhole(request, length, budget)
    : readChunks(request, limit, budget);
}

/** Reads a body in one piece. Counts its Content-Length, because the runtime passes on no more bytes. */
async function readWhole(request: Request, length: number, budget: BodyBudget): Promise<BodyOutcome> {
  // This read cannot be cancelled, so the request cannot be evicted.
  const reservation = budget.reserve(null);
  try {
    if (!reservation.add(length)) return { kind: "no room" };
    const bytes = await request.bytes();
    await endOfTurn();
    return { kind: "read", bytes, release: reservation.release };
  } catch {
    reservation.release();
    return { kind: "incomplete" };
  }
}

/** Reads a body in chunks, and counts the memory for it as it grows. */
async function readChunks(request: Request, limit: number, budget: BodyBudget): Promise<BodyOutcome> {
  const reader = request.body?.getReader();
  const reservation = budget.reserve(() => void reader?.cancel());
  const fail = (kind: "too large" | "fragmented" | "no room" | "incomplete"): BodyOutcome => {
    reservation.release();
    return { kind };
  };
  /** Otherwise the runtime would buffer the rest. */
  const cancel = (kind: "too large" | "fragmented"): BodyOutcome => {
    void reader?.cancel();
    return fail(kind);
  };
  try {
    const buffer = createGrowingBuffer(limit);
    let cost = Math.min(limit, SMALLEST_COST);
    if (!reservation.add(cost)) return fail("no room");
    let chunks = 0;
    for (let next = await reader?.read(); next !== undefined && !next.done; next = await reader?.read()) {
      const { byteLength } = next.value;
      if (buffer.length + byteLength > limit) return cancel("too large");
      if (++chunks > MAX_SMALL_CHUNKS + buffer.length / BYTES_PER_CHUNK) return cancel("fragmented");
      const growth = Math.max(0, buffer.capacityFor(byteLength) - cost);
      if (!reservation.add(growth)) return fail("no room");
      cost += growth;
      buffer.append(next.value);
    }
    // The stream of an evicted request ends like that of a complete one.
    if (!reservation.add(0)) return fail("no room");
    return { kind: "read", bytes: buffer.bytes(), release: reservation.release };
  } catch {
    return fail(reservation.add(0) ? "incomplete" : "no room");
  }
}

let endOfThisTurn: Promise<void> | null = null;

/**
 * Resolves at the end of this turn of the event loop. The work of several requests takes less time together than between
 * their system calls.
 */
function endOfTurn(): Promise<void> {
  endOfThisTurn ??= nextTurn().then(() => {
    endOfThisTurn = null;
  });
  return endOfThisTurn;
}
