import { hash } from "node:crypto";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";

/** Bytes as they are kept. */
export interface Packed {
  readonly encoding: "plain" | "zstd";
  readonly bytes: Uint8Array;
}

/** Under this many bytes they are kept as they are: compressing them costs time and saves no page. */
const PLAIN_BELOW = 256;

/**
 * Compresses at zstd's level 1: of a push of 7 KB a fifth remains, as at its own level 3. Bodies of any size are
 * compressed here and now, also the largest: 25 MiB of JSON take some 5 ms, less than their signature, their
 * digest and their parsing, each of which has held the others up already. (Noise takes 80, but is no webhook.)
 */
export function pack(bytes: Uint8Array): Packed {
  if (bytes.length < PLAIN_BELOW) return { encoding: "plain", bytes };
  return {
    encoding: "zstd",
    bytes: zstdCompressSync(bytes, {
      // With the size foretold its tables are as small as that allows, and sooner cleared.
      pledgedSrcSize: bytes.length,
      // What comes of a usual body has room in a quarter of it: to make more would take as long as a third of the work.
      chunkSize: Math.min(16_384, Math.ceil(bytes.length / 4)),
      params: { [constants.ZSTD_c_compressionLevel]: 1 },
    }),
  };
}

/** The bytes as they were. */
export function unpack(packed: Packed): Uint8Array {
  return packed.encoding === "plain" ? packed.bytes : new Uint8Array(zstdDecompressSync(packed.bytes));
}

/** The SHA-256, by which the same bytes are found again. */
export function digest(bytes: Uint8Array | string): Buffer {
  return hash("sha256", bytes, "buffer");
}
