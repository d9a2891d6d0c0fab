import type { CheckResult } from "../../doctor/check-result.ts";
import { wrapColumns } from "../../runtime/index.ts";
import { makeTextPrintable } from "./sanitise.ts";
import { type Colour, paint, type Style } from "./style.ts";

const COLOURS: Readonly<Record<CheckResult["level"], Colour>> = { ok: "green", warn: "yellow", fail: "red" };
const LEVEL_WIDTH = 5;

/** Formats a finding; a terminal wraps it below its level. */
export function formatResult({ level, text }: CheckResult, style: Style): string {
  const printable = makeTextPrintable(text);
  const lines =
    style.width === null ? [printable] : wrapColumns(printable, Math.max(20, style.width - LEVEL_WIDTH));
  return lines
    .map((line, index) => {
      const margin = index === 0 ? level.padEnd(LEVEL_WIDTH) : " ".repeat(LEVEL_WIDTH);
      return `${index === 0 ? paint(margin, COLOURS[level], style) : margin}${line}\n`;
    })
    .join("");
}
