import { describe, expect, test } from "bun:test";
import { gatherLines } from "../../src/cli/gather-lines.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("gathered lines", () => {
  test("of one turn are written in one piece, in order, and those of the next in another", async () => {
    const pieces: string[] = [];
    const { add } = gatherLines((text) => pieces.push(text));
    for (const line of ["a\n", "b\n", "c\n"]) add(line);
    expect(pieces).toEqual([]);
    await turn();
    add("d\n");
    await turn();
    expect(pieces).toEqual(["a\nb\nc\n", "d\n"]);
  });

  test("are written at once, and once, where nobody can wait for the next turn", async () => {
    const pieces: string[] = [];
    const { add, flush } = gatherLines((text) => pieces.push(text));
    add("a\n");
    flush();
    add("b\n");
    flush();
    flush();
    expect(pieces).toEqual(["a\n", "b\n"]);
    await turn();
    expect(pieces).toHaveLength(2);
  });
});
