import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createLogBuffer } from "../../src/web/page/log/buffer.ts";
import { breaksOf, countColumns, countRows, sliceSpans } from "../../src/web/page/log/columns.ts";
import { findMatches, MAX_MATCHES } from "../../src/web/page/log/find.ts";
import { parseLine, plainText } from "../../src/web/page/log/sgr.ts";

const textOf = (parts: readonly { readonly text: string }[]) => parts.map(({ text }) => text).join("");

describe("columns", () => {
  test.each([
    ["ASCII", "npm ci", 6],
    ["wide characters", "日本", 4],
    ["an emoji", "🚀 ok", 5],
    ["combining marks", "e\u0301a\u0300\u0301", 2],
    ["nothing", "", 0],
  ])("of %s", (_what, text, columns) => {
    expect(countColumns(text)).toBe(columns);
  });

  test("break a line where a wide character does not fit", () => {
    expect(breaksOf("a日日日", 4)).toEqual([0, 2]);
    expect(breaksOf("abcdef", 3)).toEqual([0, 3]);
    expect(countRows("", 10)).toBe(1);
  });

  test("break no character, lose none, and agree with the number of rows", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme", maxLength: 80 }),
        fc.integer({ min: 2, max: 20 }),
        (line, width) => {
          const text = plainText(line);
          const breaks = breaksOf(text, width);
          expect(countRows(text, width)).toBe(breaks.length);
          const spans = parseLine(line);
          const parts = breaks.map((from, at) =>
            textOf(sliceSpans(spans, from, breaks[at + 1] ?? text.length)),
          );
          expect(parts.join("")).toBe(text);
          for (const part of parts) expect(part.isWellFormed()).toBe(text.isWellFormed());
        },
      ),
    );
  });
});

describe("sliceSpans", () => {
  const spans = [
    { text: "error: ", style: "fg-1" },
    { text: "no such file", style: "" },
  ];

  test("keeps the styles of a part", () => {
    expect(sliceSpans(spans, 4, 10)).toEqual([
      { text: "r: ", style: "fg-1", mark: null },
      { text: "no ", style: "", mark: null },
    ]);
  });

  test("marks matches across styles and row ends", () => {
    const marks = [
      { from: 5, to: 9, isCurrent: true },
      { from: 15, to: 19, isCurrent: false },
    ];
    expect(sliceSpans(spans, 0, 17, marks)).toEqual([
      { text: "error", style: "fg-1", mark: null },
      { text: ": ", style: "fg-1", mark: "current" },
      { text: "no", style: "", mark: "current" },
      { text: " such ", style: "", mark: null },
      { text: "fi", style: "", mark: "other" },
    ]);
  });
});

describe("a log buffer", () => {
  test("finds the row of a line and the line of a row, wrapped or not, whatever the order of appending", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ maxLength: 50 }), { maxLength: 30 }),
        fc.integer({ min: 0, max: 30 }),
        fc.option(fc.integer({ min: 3, max: 20 })),
        (lines, cut, width) => {
          const buffer = createLogBuffer();
          buffer.append(lines.slice(0, cut));
          buffer.wrapAt(width);
          buffer.append(lines.slice(cut));
          const expected = lines.flatMap((text, line) =>
            Array.from({ length: width === null ? 1 : countRows(plainText(text), width) }, (_, part) => ({
              line,
              part,
            })),
          );
          expect(buffer.index.rows).toBe(expected.length);
          expect(expected.map((_, row) => buffer.index.at(row))).toEqual(expected);
          for (const [row, { line, part }] of expected.entries()) {
            if (part === 0) expect(buffer.index.rowOf(line)).toBe(row);
          }
        },
      ),
    );
  });

  test("takes 100,000 coloured lines, and wraps and searches them, in moments", () => {
    const lines = Array.from(
      { length: 100_000 },
      (_, at) => `\u001b[32m✓\u001b[0m module ${at} ${"x".repeat(at % 90)}`,
    );
    const buffer = createLogBuffer();
    const time = (action: () => void) => {
      const since = performance.now();
      action();
      return performance.now() - since;
    };
    const append = time(() => buffer.append(lines));
    const wrap = time(() => buffer.wrapAt(60));
    const find = time(() => expect(findMatches(buffer.plain, "MODULE 9999")).toHaveLength(11));
    // Measured on a busy machine: 540, 270 and 60 ms. What is quadratic would take minutes.
    expect(append + wrap + find).toBeLessThan(5_000);
  });
});

describe("findMatches", () => {
  test("finds each place without regard to case, in order", () => {
    expect(findMatches(["Error: error", "fine", "ERR"], "err")).toEqual([
      { line: 0, from: 0, to: 3 },
      { line: 0, from: 7, to: 10 },
      { line: 2, from: 0, to: 3 },
    ]);
  });

  test("finds nothing for an empty text, and stops at the limit", () => {
    expect(findMatches(["abc"], "")).toEqual([]);
    expect(findMatches(["a".repeat(MAX_MATCHES + 5)], "a")).toHaveLength(MAX_MATCHES);
  });

  test("has right offsets where a letter changes its length with its case", () => {
    expect(findMatches(["İİx"], "x")).toEqual([{ line: 0, from: 2, to: 3 }]);
  });
});
