/** At most this many bytes of output become one line; a longer line is handed on in pieces. */
export const MAX_LINE_BYTES = 64 * 1024;

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/**
 * Cuts a stream of bytes into lines, decoded as UTF-8 (what is not UTF-8 becomes U+FFFD). `\n` and `\r\n` end
 * a line; every other control character stays. Holds at most one line, and of that {@link MAX_LINE_BYTES}.
 */
export class OutputLines {
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #held = new Uint8Array(MAX_LINE_BYTES);
  #length = 0;

  constructor(readonly deliver: (line: string) => void) {}

  push(chunk: Uint8Array): void {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      this.#hold(chunk.subarray(from, at));
      this.#deliverLine();
      from = at + 1;
    }
    this.#hold(chunk.subarray(from));
  }

  /** Delivers the last line when no newline ended it. */
  end(): void {
    if (this.#length > 0) this.#deliverLine();
  }

  #hold(bytes: Uint8Array): void {
    let rest = bytes;
    while (rest.length > MAX_LINE_BYTES - this.#length) {
      const room = MAX_LINE_BYTES - this.#length;
      this.#held.set(rest.subarray(0, room), this.#length);
      this.#length = MAX_LINE_BYTES;
      this.#deliverPiece();
      rest = rest.subarray(room);
    }
    this.#held.set(rest, this.#length);
    this.#length += rest.length;
  }

  #deliverLine(): void {
    const end = this.#held[this.#length - 1] === RETURN ? this.#length - 1 : this.#length;
    this.deliver(this.#decoder.decode(this.#held.subarray(0, end)));
    this.#length = 0;
  }

  /** Delivers a full buffer, but for the start of a character whose other bytes are yet to come. */
  #deliverPiece(): void {
    const end = endOfCharacters(this.#held);
    this.deliver(this.#decoder.decode(this.#held.subarray(0, end)));
    this.#held.copyWithin(0, end);
    this.#length = MAX_LINE_BYTES - end;
  }
}

/** Where the last complete UTF-8 character ends: a character has at most four bytes (RFC 3629). */
function endOfCharacters(bytes: Uint8Array): number {
  for (let back = 1; back <= 3; back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte >= 0xc0) {
      const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return needed > back ? bytes.length - back : bytes.length;
    }
    if (byte < 0x80) break;
  }
  return bytes.length;
}
