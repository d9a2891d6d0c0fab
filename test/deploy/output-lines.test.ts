import { expect, test } from "bun:test";
import fc from "fast-check";
import { MAX_LINE_BYTES, OutputLines } from "../../src/deploy/process/output-lines.ts";

function linesOf(chunks: readonly Uint8Array[]): readonly string[] {
  const lines: string[] = [];
  const output = new OutputLines((line) => lines.push(line));
  for (const chunk of chunks) output.push(chunk);
  output.end();
  return lines;
}

const bytes = (text: string) => new TextEncoder().encode(text);

test("splits lines at LF and CRLF and emits an unterminated last line", () => {
  expect(linesOf([bytes("a\nb\r\n\n\r\nc\rd\r\ne")])).toEqual(["a", "b", "", "", "c\rd", "e"]);
  expect(linesOf([bytes("")])).toEqual([]);
});

test("keeps control characters and a byte order mark, and replaces invalid UTF-8", () => {
  expect(linesOf([bytes("\u0000\u001b[31mred\ufeff\t\n\ufeffx")])).toEqual([
    "\u0000\u001b[31mred\ufeff\t",
    "\ufeffx",
  ]);
  expect(linesOf([new Uint8Array([0x61, 0xff, 0x62, 0x0a])])).toEqual(["a\ufffdb"]);
});

test("returns the same lines for any chunking of the stream", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "\n", "\r", "é", "日", "😀"), maxLength: 60 });
  fc.assert(
    fc.property(text, fc.array(fc.nat(200), { maxLength: 5 }), (whole, places) => {
      const all = bytes(whole);
      const ends = [...places.map((place) => Math.min(place, all.length)), all.length].sort((a, b) => a - b);
      const chunks = ends.map((end, index) => all.subarray(ends[index - 1] ?? 0, end));
      expect(linesOf(chunks)).toEqual(linesOf([all]));
    }),
    { seed: 2 },
  );
});

test("splits a long line without losing bytes or splitting characters", () => {
  for (const start of ["", "a", "aa", "aaa"]) {
    const line = start + "😀".repeat(50_000);
    const pieces = linesOf([bytes(`${line}\nnext`)]);
    expect(pieces.slice(0, -1).join("")).toBe(line);
    expect(pieces.at(-1)).toBe("next");
    expect(pieces.length).toBe(5);
    for (const piece of pieces) expect(bytes(piece).length).toBeLessThanOrEqual(MAX_LINE_BYTES);
  }
});

test("keeps a line of exactly the limit in one piece", () => {
  const line = "x".repeat(MAX_LINE_BYTES);
  expect(linesOf([bytes(`${line}\n`)])).toEqual([line]);
});

test("limits the buffer for bytes that are not text", () => {
  const pieces = linesOf([new Uint8Array(3 * MAX_LINE_BYTES).fill(0xbf)]);
  expect(pieces.map((piece) => piece.length)).toEqual([MAX_LINE_BYTES, MAX_LINE_BYTES, MAX_LINE_BYTES]);
});
