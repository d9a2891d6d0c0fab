import { createHash } from "node:crypto";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";

/** A body as it is kept. */
export interface KeptBody {
  readonly encoding: "plain" | "zstd";
  readonly bytes: Uint8Array;
}

/** Bodies under this many bytes are kept as they are: compressing them costs time and saves no page. */
const PLAIN_BELOW = 256;

/**
 * Compresses a body at zstd's own level, 3: for a push of 7 KB it takes the time of level 1 and saves more, a
 * fifth remains.
 */
export function packBody(body: Uint8Array): KeptBody {
  if (body.length < PLAIN_BELOW) return { encoding: "plain", bytes: body };
  return { encoding: "zstd", bytes: zstdCompressSync(body) };
}

/** The body as it came. */
export function unpackBody(kept: KeptBody): Uint8Array {
  return kept.encoding === "plain" ? kept.bytes : new Uint8Array(zstdDecompressSync(kept.bytes));
}

/** The SHA-256 of a body, by which the same body under another id is found. */
export function digestBody(body: Uint8Array): Uint8Array {
  return createHash("sha256").update(body).digest();
}
