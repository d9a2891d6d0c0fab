import { expect, test } from "bun:test";
import fc from "fast-check";
import { MAX_LINE_BYTES, OutputLines } from "../../src/deploy/output-lines.ts";

function cut(chunks: readonly Uint8Array[]): readonly string[] {
  const lines: string[] = [];
  const output = new OutputLines((line) => lines.push(line));
  for (const chunk of chunks) output.push(chunk);
  output.end();
  return lines;
}

const bytes = (text: string) => new TextEncoder().encode(text);

test("ends lines at LF and CRLF, and delivers an unfinished last one", () => {
  expect(cut([bytes("a\nb\r\n\n\r\nc\rd\r\ne")])).toEqual(["a", "b", "", "", "c\rd", "e"]);
  expect(cut([bytes("")])).toEqual([]);
});

test("leaves control characters and a byte order mark, and replaces what is not UTF-8", () => {
  expect(cut([bytes("\u0000\u001b[31mred\ufeff\t\n\ufeffx")])).toEqual([
    "\u0000\u001b[31mred\ufeff\t",
    "\ufeffx",
  ]);
  expect(cut([new Uint8Array([0x61, 0xff, 0x62, 0x0a])])).toEqual(["a\ufffdb"]);
});

test("gives the same lines wherever the stream is cut", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "\n", "\r", "é", "日", "😀"), maxLength: 60 });
  fc.assert(
    fc.property(text, fc.array(fc.nat(200), { maxLength: 5 }), (whole, places) => {
      const all = bytes(whole);
      const ends = [...places.map((place) => Math.min(place, all.length)), all.length].sort((a, b) => a - b);
      const chunks = ends.map((end, index) => all.subarray(ends[index - 1] ?? 0, end));
      expect(cut(chunks)).toEqual(cut([all]));
    }),
    { seed: 2 },
  );
});

test("cuts a long line into pieces that lose nothing and split no character", () => {
  for (const start of ["", "a", "aa", "aaa"]) {
    const line = start + "😀".repeat(50_000);
    const pieces = cut([bytes(`${line}\nnext`)]);
    expect(pieces.slice(0, -1).join("")).toBe(line);
    expect(pieces.at(-1)).toBe("next");
    expect(pieces.length).toBe(5);
    for (const piece of pieces) expect(bytes(piece).length).toBeLessThanOrEqual(MAX_LINE_BYTES);
  }
});

test("cuts a line of exactly the limit into one piece", () => {
  const line = "x".repeat(MAX_LINE_BYTES);
  expect(cut([bytes(`${line}\n`)])).toEqual([line]);
});

test("bounds what is held when the bytes are no text at all", () => {
  const pieces = cut([new Uint8Array(3 * MAX_LINE_BYTES).fill(0xbf)]);
  expect(pieces.map((piece) => piece.length)).toEqual([MAX_LINE_BYTES, MAX_LINE_BYTES, MAX_LINE_BYTES]);
});
