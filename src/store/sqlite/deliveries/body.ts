import { hash } from "node:crypto";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";

/** Bytes as they are stored. */
export interface Packed {
  readonly encoding: "plain" | "zstd";
  readonly bytes: Uint8Array;
}

/** In bytes. Compressing a smaller body costs time and saves no page. */
const MIN_COMPRESSED = 256;

/**
 * Compresses at zstd's level 1, which shrinks a push of 7 KB to a fifth, as the default level 3 does. Synchronous for any
 * size: 25 MiB of JSON take about 5 ms, less than their signature, digest and parsing, which are synchronous too.
 */
export function pack(bytes: Uint8Array): Packed {
  if (bytes.length < MIN_COMPRESSED) return { encoding: "plain", bytes };
  return {
    encoding: "zstd",
    bytes: zstdCompressSync(bytes, {
      // With a known size zstd's tables are smaller, and faster to clear.
      pledgedSrcSize: bytes.length,
      // Most bodies shrink to less than a quarter. A larger buffer would add a third to the time.
      chunkSize: Math.min(16_384, Math.ceil(bytes.length / 4)),
      params: { [constants.ZSTD_c_compressionLevel]: 1 },
    }),
  };
}

/** Returns the original bytes. */
export function unpack(packed: Packed): Uint8Array {
  return packed.encoding === "plain" ? packed.bytes : new Uint8Array(zstdDecompressSync(packed.bytes));
}

/** The SHA-256, which identifies equal bytes. */
export function digest(bytes: Uint8Array | string): Buffer {
  return hash("sha256", bytes, "buffer");
}
