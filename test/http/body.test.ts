import { describe, expect, test } from "bun:test";
import { type BodyOutcome, readBody } from "../../src/http/body.ts";
import { createBodyBudget } from "../../src/http/body-budget.ts";

const KIB = 1024;
const LIMIT = 1024 * KIB;

/** A chunked request of `count` chunks with `size` bytes each. */
function chunked(count: number, size: number): Request {
  const chunk = new Uint8Array(size).fill(97);
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (sent++ < count) controller.enqueue(chunk);
      else controller.close();
    },
  });
  return new Request("http://localhost/", { method: "POST", body });
}

async function read(count: number, size: number, budget = createBodyBudget(LIMIT, () => {})) {
  return readBody(chunked(count, size), LIMIT, budget);
}

function lengthOf(outcome: BodyOutcome): number | null {
  return outcome.kind === "read" ? outcome.bytes.byteLength : null;
}

describe("a body in chunks", () => {
  test.each([
    [1, 300 * KIB],
    [1024, 1],
    [3000, 256],
  ])("reads %p chunks of %p bytes", async (count, size) => {
    expect(lengthOf(await read(count, size))).toBe(count * size);
  });

  test.each([
    [2000, 1],
    [100_000, 1],
    [20_000, 50],
  ])("refuses %p chunks of %p bytes", async (count, size) => {
    expect((await read(count, size)).kind).toBe("fragmented");
  });

  test("refuses more bytes than the limit", async () => {
    expect((await read(5, LIMIT / 4)).kind).toBe("too large");
  });

  test("counts the memory for a body and not its bytes alone", async () => {
    const budget = createBodyBudget(LIMIT, () => {});
    const others = Array.from({ length: LIMIT / (4 * KIB) + 1 }, () => read(1, 1, budget));
    const kinds = (await Promise.all(others)).map(({ kind }) => kind);
    expect(new Set(kinds)).toEqual(new Set(["read", "no room"]));
  });

  test("frees the memory of a refused body", async () => {
    const budget = createBodyBudget(LIMIT, () => {});
    for (let count = 0; count < 300; count++) await read(2000, 1, budget);
    expect(lengthOf(await read(10, 50 * KIB, budget))).toBe(500 * KIB);
  });
});
