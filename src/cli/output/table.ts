import { stringWidth, truncateColumns, wrapColumns } from "../../runtime/index.ts";
import { makePrintable } from "./sanitise.ts";
import { type Colour, paint, type Style } from "./style.ts";

/** One column of a table. */
export interface Column<Row> {
  readonly heading: string;
  /** Untrusted text; null for no value. */
  readonly text: (row: Row) => string | null;
  readonly colour?: (row: Row) => Colour | null;
  /** Set for sentences. A terminal shows `whole` ones on any number of lines, `short` ones on up to {@link MAX_LINES}. */
  readonly prose?: "whole" | "short";
}

interface Cell extends Pick<Column<never>, "prose"> {
  readonly text: string;
  readonly colour: Colour | null;
  /** Columns that the cell takes; prose is wrapped at this width. */
  readonly width: number;
}

const GAP = "  ";
const NO_VALUE = "-";
const MAX_LINES = 3;
const MIN_PROSE_WIDTH = 30;
/** Columns before a sentence below its row. */
const INDENT = 4;

/**
 * Formats an aligned table with headings; each line ends with a newline. Escapes all texts. Sentences go below the other
 * columns of their row if the terminal is too narrow to show them side by side.
 */
export function formatTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  style: Style,
): string {
  const headings = columns.map(({ heading }) => ({ text: heading, colour: "dim" as const }));
  const body = rows.map((row) =>
    columns.map(({ text, colour }) => ({
      text: makePrintable(text(row) ?? NO_VALUE),
      colour: colour?.(row) ?? null,
    })),
  );
  const table = [headings, ...body];
  const widths = columns.map((_, at) =>
    Math.max(...table.map((cells) => stringWidth(cells[at]?.text ?? ""))),
  );

  const total = style.width ?? Number.POSITIVE_INFINITY;
  const proseWidths = widths.filter((_, at) => columns[at]?.prose !== undefined);
  const room = total - sum(widths) + sum(proseWidths) - GAP.length * (columns.length - 1);
  const isBeside = sum(proseWidths) <= room || (proseWidths.length === 1 && room >= MIN_PROSE_WIDTH);
  const proseRoom = isBeside ? room : total - INDENT;

  return table
    .map((contents) => {
      const cells = contents.map((content, at): Cell => {
        const { prose } = columns[at] ?? {};
        const natural = widths[at] ?? 0;
        return prose === undefined
          ? { ...content, width: natural }
          : { ...content, width: Math.max(1, Math.min(natural, proseRoom)), prose };
      });
      if (isBeside) return formatRow(cells, style);
      const names = cells.filter(({ prose }) => prose === undefined);
      const sentences = cells.filter(({ prose, text }) => prose !== undefined && text !== NO_VALUE);
      const indent: Cell = { text: "", colour: null, width: INDENT - GAP.length };
      return [names, ...sentences.map((cell) => [indent, cell])].map((row) => formatRow(row, style)).join("");
    })
    .join("");
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function formatRow(cells: readonly Cell[], style: Style): string {
  const lines = cells.map((cell) => (style.width === null ? [cell.text] : wrap(cell)));
  const height = Math.max(...lines.map(({ length }) => length));
  return Array.from({ length: height }, (_, line) => {
    const columns = cells.map(({ colour, width }, at) => {
      const text = lines[at]?.[line] ?? "";
      return paint(text, colour, style) + " ".repeat(Math.max(0, width - stringWidth(text)));
    });
    const row = columns.join(GAP).trimEnd();
    return `${style.width === null ? row : truncateColumns(row, style.width)}\n`;
  }).join("");
}

/** The lines of a cell. The last line of short prose ends with `…` if there are more. */
function wrap({ text, prose, width }: Cell): readonly string[] {
  if (prose === undefined) return [text];
  const lines = wrapColumns(text, width);
  if (prose === "whole" || lines.length <= MAX_LINES) return lines;
  const rest = lines.slice(MAX_LINES - 1).join(" ");
  return [...lines.slice(0, MAX_LINES - 1), truncateColumns(rest, width)];
}

/** A property of one thing. */
export interface Field {
  readonly name: string;
  /** Untrusted text; null omits the field. */
  readonly text: string | null;
  readonly colour?: Colour | null;
}

/** Formats one field per line, each with a newline. Escapes all texts. */
export function formatFields(fields: readonly Field[], style: Style): string {
  const width = Math.max(...fields.map(({ name }) => stringWidth(name)));
  return fields
    .filter(({ text }) => text !== null)
    .map(({ name, text, colour }) => {
      const value = paint(makePrintable(text ?? ""), colour ?? null, style);
      return `${name}${" ".repeat(width - stringWidth(name))}${GAP}${value}\n`;
    })
    .join("");
}
