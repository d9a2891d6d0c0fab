import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatTime, type Style } from "../../src/cli/output/style.ts";
import { formatTable } from "../../src/cli/output/table.ts";
import { stringWidth } from "../../src/runtime/index.ts";
import { UNPRINTABLE } from "./command-line.ts";

const PLAIN: Style = { isTty: false, colours: false, width: null, now: new Date("2026-11-21T20:30:00Z") };
const at = (width: number): Style => ({ ...PLAIN, isTty: true, width });

const COLUMNS = [
  { heading: "NAME", text: ([name]: readonly string[]) => name ?? null },
  { heading: "WHY", text: ([, why]: readonly string[]) => why ?? null, prose: "short" as const },
];

describe("table", () => {
  test("aligns columns by display width, including wide and combining characters", () => {
    expect(formatTable(COLUMNS, [["日本", "x"], ["e\u0301", "y"], ["plain"]], PLAIN)).toBe(
      "NAME   WHY\n日本   x\ne\u0301      y\nplain  -\n",
    );
  });

  test("wraps prose between words on a terminal, and truncates it after three lines", () => {
    const why = 'blog: branch "dev" is not "main"; docs: branch "dev" is not "main" and more';
    expect(formatTable(COLUMNS, [["7", why]], at(36))).toBe(
      'NAME  WHY\n7     blog: branch "dev" is not\n      "main"; docs: branch "dev" is\n      not "main" and more\n',
    );
    const longer = `${why}; site: branch "dev" is not "main"`;
    expect(formatTable(COLUMNS, [["7", longer]], at(36))).toEndWith(
      '\n      not "main" and more; site: br…\n',
    );
  });

  test("does not truncate whole prose", () => {
    const columns = COLUMNS.map((column) => ({
      ...column,
      ...(column.prose && { prose: "whole" as const }),
    }));
    const why = Array.from({ length: 40 }, (_, word) => `word${word}`).join(" ");
    for (const width of [20, 36, 80]) {
      const lines = formatTable(columns, [["7", why]], at(width))
        .split("\n")
        .slice(1)
        .join(" ");
      expect(lines.replaceAll(/\s+/g, " ")).toContain(why);
    }
  });

  test("moves prose below the other columns on a narrow terminal", () => {
    const columns = [...COLUMNS, { heading: "AT", text: () => "2026-11-21" }];
    const rows = [["7", 'blog: branch "dev" is not "main"'], ["8"]];
    expect(formatTable(columns, rows, at(47))).toBe(
      'NAME  AT\n    WHY\n7     2026-11-21\n    blog: branch "dev" is not "main"\n8     2026-11-21\n',
    );
    expect(formatTable(columns, rows, at(48))).toStartWith(
      "NAME  WHY                             AT\n7     blog:",
    );
  });

  test("fits every line into the terminal and contains no control characters", () => {
    const cells = fc.array(fc.tuple(fc.string({ unit: "binary" }), fc.string({ unit: "binary" })));
    fc.assert(
      fc.property(cells, fc.integer({ min: 1, max: 120 }), (rows, width) => {
        const lines = formatTable(COLUMNS, rows, at(width)).split("\n");
        for (const line of lines) {
          expect(stringWidth(line)).toBeLessThanOrEqual(width);
          expect(line).not.toMatch(UNPRINTABLE);
        }
      }),
    );
  });
});

describe("time", () => {
  test.each([
    ["2026-11-21T20:29:50.000Z", "10s ago"],
    ["2026-11-21T20:00:00.000Z", "30m ago"],
    ["2026-11-21T01:00:00.000Z", "19h ago"],
    ["2026-11-21T22:30:00.000Z", "in 2h"],
    ["nonsense", "nonsense"],
  ])("%s is shown on a terminal as %p, and unchanged elsewhere", (time, relative) => {
    expect(formatTime(time, at(80))).toBe(relative);
    expect(formatTime(time, PLAIN)).toBe(time);
  });

  test("on another day is shown as a date", () => {
    expect(formatTime("2026-01-02T12:00:00.000Z", at(80))).toMatch(/^2026-01-0[123] \d\d:\d\d$/);
  });
});
