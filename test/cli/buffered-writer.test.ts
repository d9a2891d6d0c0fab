import { describe, expect, test } from "bun:test";
import { createBufferedWriter } from "../../src/cli/output/buffered-writer.ts";

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

describe("buffered writer", () => {
  test("writes the lines of one event loop turn in one call, in order", async () => {
    const writes: string[] = [];
    const { add } = createBufferedWriter((text) => writes.push(text));
    for (const line of ["a\n", "b\n", "c\n"]) add(line);
    expect(writes).toEqual([]);
    await nextTurn();
    add("d\n");
    await nextTurn();
    expect(writes).toEqual(["a\nb\nc\n", "d\n"]);
  });

  test("writes pending lines on flush, and writes them once", async () => {
    const writes: string[] = [];
    const { add, flush } = createBufferedWriter((text) => writes.push(text));
    add("a\n");
    flush();
    add("b\n");
    flush();
    flush();
    expect(writes).toEqual(["a\n", "b\n"]);
    await nextTurn();
    expect(writes).toHaveLength(2);
  });
});
