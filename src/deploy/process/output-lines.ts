/** A longer line is delivered in pieces of this many bytes, plus up to three of a character at its start. */
export const MAX_LINE_BYTES = 64 * 1024;

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/**
 * Splits a stream of bytes into lines, decoded as UTF-8; invalid bytes become U+FFFD. `\n` and `\r\n` end a line, and
 * every other control character stays. Holds at most {@link MAX_LINE_BYTES}.
 */
export class OutputLines {
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #buffer = new Uint8Array(MAX_LINE_BYTES);
  #length = 0;

  constructor(readonly deliver: (line: string) => void) {}

  push(chunk: Uint8Array): void {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      this.#append(chunk.subarray(from, at));
      this.#deliverLine();
      from = at + 1;
    }
    this.#append(chunk.subarray(from));
  }

  /** Delivers a last line without a newline. */
  end(): void {
    if (this.#length > 0) this.#deliverLine();
  }

  #append(bytes: Uint8Array): void {
    let rest = bytes;
    while (rest.length > MAX_LINE_BYTES - this.#length) {
      const room = MAX_LINE_BYTES - this.#length;
      this.#buffer.set(rest.subarray(0, room), this.#length);
      // The decoder holds back the first bytes of a character that is cut.
      this.deliver(this.#decoder.decode(this.#buffer, { stream: true }));
      this.#length = 0;
      rest = rest.subarray(room);
    }
    this.#buffer.set(rest, this.#length);
    this.#length += rest.length;
  }

  #deliverLine(): void {
    const end = this.#buffer[this.#length - 1] === RETURN ? this.#length - 1 : this.#length;
    this.deliver(this.#decoder.decode(this.#buffer.subarray(0, end)));
    this.#length = 0;
  }
}
