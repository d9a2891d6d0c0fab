/** One event of an event stream (HTML standard, section 9.2). */
export interface StreamEvent {
  /** The last id that the stream has told, of this event or of one before. */
  readonly id: string;
  /** `message` where the stream does not say. */
  readonly type: string;
  readonly data: string;
}

/** Reads an event stream to its end. Comments, which only keep a connection open, are told as null. */
export async function* readServerSentEvents(
  stream: AsyncIterable<Uint8Array>,
): AsyncGenerator<StreamEvent | null, void, undefined> {
  let [id, type] = ["", ""];
  let data: string[] = [];
  for await (const line of readLines(stream)) {
    if (line === "") {
      if (data.length > 0) yield { id, type: type === "" ? "message" : type, data: data.join("\n") };
      type = "";
      data = [];
    } else if (line.startsWith(":")) {
      yield null;
    } else {
      const [field, value] = splitField(line);
      if (field === "data") data.push(value);
      else if (field === "event") type = value;
      else if (field === "id" && !value.includes("\0")) id = value;
    }
  }
}

/** The whole lines of a stream; what comes after the last line's end is no event and is dropped. */
async function* readLines(stream: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    // A carriage return at the end may be half of a line's end.
    const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

function splitField(line: string): readonly [string, string] {
  const colon = line.indexOf(":");
  if (colon < 0) return [line, ""];
  return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")];
}
