import { describe, expect, test } from "bun:test";
import type { EventSourceMessage } from "eventsource-parser";
import { readServerSentEvents } from "../../src/cli/api/follow.ts";

async function read(...chunks: readonly (string | Uint8Array)[]): Promise<(EventSourceMessage | null)[]> {
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
      { id: "1", event: "line", data: "größe" },
      { id: "2", event: "line", data: "a\n b" },
      { id: undefined, event: undefined, data: "c" },
    ]);
    expect(await read(...[...new TextEncoder().encode(text)].map((byte) => Uint8Array.of(byte)))).toEqual(
      whole,
    );
  });

  test("returns an event with an empty data line, and ignores an event without data", async () => {
    expect(await read("data\n\n", "event: x\n\n", "data:\n\n")).toEqual([
      { id: undefined, event: undefined, data: "" },
      { id: undefined, event: undefined, data: "" },
    ]);
  });
});
