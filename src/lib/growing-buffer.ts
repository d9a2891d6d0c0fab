/** Bytes that arrive in pieces. They are copied, because an array of small pieces takes a hundred times their size. */
export interface GrowingBuffer {
  /** How many bytes it would use with this many more. */
  capacityFor(more: number): number;
  append(piece: Uint8Array): void;
  /** The bytes so far. */
  bytes(): Uint8Array;
  readonly length: number;
}

/** Creates a buffer for up to `limit` bytes. It doubles when it is full, so that appending takes linear time. */
export function createGrowingBuffer(limit: number): GrowingBuffer {
  let buffer = new Uint8Array(0);
  let length = 0;

  function capacityFor(more: number): number {
    const needed = length + more;
    if (needed <= buffer.byteLength) return buffer.byteLength;
    return Math.min(limit, Math.max(needed, 2 * buffer.byteLength));
  }

  return {
    get length() {
      return length;
    },
    capacityFor,
    append(piece) {
      const capacity = capacityFor(piece.byteLength);
      if (capacity > buffer.byteLength) {
        const grown = new Uint8Array(capacity);
        grown.set(buffer.subarray(0, length));
        buffer = grown;
      }
      buffer.set(piece, length);
      length += piece.byteLength;
    },
    bytes: () => buffer.subarray(0, length),
  };
}
