import { describe, expect, test } from "bun:test";
import { readServerSentEvents, type StreamEvent } from "../../src/cli/api/sse.ts";

async function read(...chunks: readonly (string | Uint8Array)[]): Promise<(StreamEvent | null)[]> {
  async function* stream() {
    for (const chunk of chunks) yield typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk;
  }
  return Array.fromAsync(readServerSentEvents(stream()));
}

describe("event stream reader", () => {
  test("returns the same events however the bytes are split into chunks", async () => {
    const text =
      ":\n\nid: 1\nevent: line\ndata: größe\n\nid: 2\r\nevent: line\r\ndata: a\r\ndata:  b\r\n\r\ndata: c\r\rdata: cut";
    const whole = await read(text);
    expect(whole).toEqual([
      null,
      { id: "1", type: "line", data: "größe" },
      { id: "2", type: "line", data: "a\n b" },
      { id: "2", type: "message", data: "c" },
    ]);
    expect(await read(...[...new TextEncoder().encode(text)].map((byte) => Uint8Array.of(byte)))).toEqual(
      whole,
    );
  });

  test("returns an event with an empty data line, and ignores an event without data", async () => {
    expect(await read("data\n\n", "event: x\n\n", "data:\n\n")).toEqual([
      { id: "", type: "message", data: "" },
      { id: "", type: "message", data: "" },
    ]);
  });
});
