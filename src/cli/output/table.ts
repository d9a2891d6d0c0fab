import { cutColumns, makePrintable, measure, takeColumns } from "./sanitise.ts";
import { type Colour, paint, type Style } from "./style.ts";

/** One column of a table. */
export interface Column<Row> {
  readonly heading: string;
  /** What stands in it, as others may have written it; null where there is nothing. */
  readonly text: (row: Row) => string | null;
  readonly colour?: (row: Row) => Colour | null;
  /** Whether it holds sentences: on a terminal they are wrapped, and in a list cut after {@link MOST_LINES} lines. */
  readonly isProse?: boolean;
  /** Whether its sentences are never cut: what shows one thing leaves nothing out. */
  readonly isWhole?: boolean;
}

interface Cell {
  readonly text: string;
  readonly colour: Colour | null;
}

const GAP = "  ";
const INDENT = "    ";
const NOTHING = "-";
const MOST_LINES = 3;
const NARROWEST_PROSE = 30;

/**
 * An aligned table with its headings, each line with its newline. Every text in it is made printable here. Where a
 * terminal is too narrow for sentences beside the rest, they stand below it.
 */
export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[], look: Style): string {
  const headings = columns.map(({ heading }): Cell => ({ text: heading, colour: "dim" }));
  const body = rows.map((row) =>
    columns.map(
      ({ text, colour }): Cell => ({
        text: makePrintable(text(row) ?? NOTHING),
        colour: colour?.(row) ?? null,
      }),
    ),
  );
  const table = [headings, ...body];
  const natural = columns.map((_, at) => Math.max(...table.map((cells) => measure(cells[at]?.text ?? ""))));
  const widths = look.width === null ? natural : shareWidth(columns, natural, look.width);
  const format =
    widths === null
      ? (cells: readonly Cell[]) => formatAbove(cells, natural, columns, look)
      : (cells: readonly Cell[]) => formatRow(cells, widths, columns, look);
  return table.flatMap(format).join("");
}

/** Columns of names take what they need; those of sentences share what is left. Null when that is too little for them. */
function shareWidth<Row>(
  columns: readonly Column<Row>[],
  natural: readonly number[],
  width: number,
): readonly number[] | null {
  let left = width - GAP.length * (columns.length - 1);
  let sharing = 0;
  columns.forEach(({ isProse }, at) => {
    if (isProse) sharing++;
    else left -= natural[at] ?? 0;
  });
  const widths: number[] = [];
  for (const [at, { isProse }] of columns.entries()) {
    const needed = natural[at] ?? 0;
    const given = isProse ? Math.min(needed, Math.floor(left / sharing)) : needed;
    if (given < Math.min(needed, NARROWEST_PROSE)) return null;
    widths.push(given);
    if (!isProse) continue;
    left -= given;
    sharing--;
  }
  return widths;
}

function formatRow<Row>(
  cells: readonly Cell[],
  widths: readonly number[],
  columns: readonly Column<Row>[],
  look: Style,
): readonly string[] {
  const wrapped = cells.map(({ text }, at) =>
    columns[at]?.isProse && look.width !== null ? wrap(text, widths[at] ?? 0, columns[at]) : [text],
  );
  const height = Math.max(...wrapped.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) =>
    formatLine(
      cells.map(({ colour }, at) => ({ text: wrapped[at]?.[line] ?? "", colour })),
      widths,
      look,
    ),
  );
}

/** The columns of names in a line, and each sentence indented below it. */
function formatAbove<Row>(
  cells: readonly Cell[],
  widths: readonly number[],
  columns: readonly Column<Row>[],
  look: Style,
): readonly string[] {
  const isProse = (_: unknown, at: number) => columns[at]?.isProse === true;
  const isName = (_: unknown, at: number) => !isProse(_, at);
  const room = Math.max(1, (look.width ?? 0) - INDENT.length);
  const below = cells.flatMap(({ text, colour }, at) => {
    if (!isProse(text, at) || text === NOTHING) return [];
    const lines = wrap(text, room, columns[at]);
    return lines.map((line) => formatLine([{ text: INDENT + line, colour }], [], look));
  });
  return [formatLine(cells.filter(isName), widths.filter(isName), look), ...below];
}

/** One line, without spaces at its end. Colours are put on last: they take no columns. */
function formatLine(cells: readonly Cell[], widths: readonly number[], look: Style): string {
  let left = look.width ?? Number.POSITIVE_INFINITY;
  let line = "";
  let spaces = "";
  cells.forEach(({ text, colour }, at) => {
    const room = left - spaces.length;
    if (text !== "" && room > 0) {
      line += spaces + paint(cutColumns(text, room), colour, look);
      left = room - measure(text);
      spaces = "";
    }
    spaces += " ".repeat(Math.max(0, (widths[at] ?? 0) - measure(text))) + GAP;
  });
  return `${line}\n`;
}

/** Lines of at most so many columns, broken between words where possible. */
function wrap(
  text: string,
  width: number,
  { isWhole = false }: Pick<Column<never>, "isWhole"> = {},
): readonly string[] {
  const mostLines = isWhole ? Number.POSITIVE_INFINITY : MOST_LINES;
  const lines: string[] = [];
  let rest = text;
  while (lines.length < mostLines - 1 && measure(rest) > width) {
    const fitting = takeColumns(rest, width);
    const end = rest[fitting.length] === " " ? fitting.length : fitting.lastIndexOf(" ");
    const line = end > 0 ? rest.slice(0, end) : fitting;
    lines.push(line);
    rest = rest.slice(line.length).trimStart();
  }
  return [...lines, cutColumns(rest, width)];
}

/** What is known of one thing. */
export interface Field {
  readonly name: string;
  /** Null where there is nothing to tell: the field is left out. */
  readonly text: string | null;
  readonly colour?: Colour | null;
}

/** Names and values below each other, each line with its newline. Every text in it is made printable here. */
export function formatFields(fields: readonly Field[], look: Style): string {
  const width = Math.max(...fields.map(({ name }) => measure(name)));
  return fields
    .map(({ name, text, colour }) =>
      text === null ? "" : `${name.padEnd(width)}${GAP}${paint(makePrintable(text), colour ?? null, look)}\n`,
    )
    .join("");
}
