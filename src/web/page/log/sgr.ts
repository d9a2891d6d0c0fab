import { printable } from "../format.ts";

/** A part of a line with one style. */
export interface Span {
  readonly text: string;
  /** Names of classes, separated by spaces; empty for the default style. */
  readonly style: string;
}

interface Style {
  readonly foreground: number | null;
  readonly background: number | null;
  /** Names of classes. */
  readonly flags: ReadonlySet<string>;
}

const DEFAULT: Style = { foreground: null, background: null, flags: new Set() };

const ESC = "\u001b";

/** Escape sequences of a terminal (ECMA-48): CSI; OSC and other strings, up to their end; and all shorter ones. */
const SEQUENCE = new RegExp(
  `${ESC}\\[([0-?]*)[ -/]*([@-~]?)|${ESC}[\\]PX^_][^\\u0007${ESC}]*(?:\\u0007|${ESC}\\\\)?|${ESC}[ -/]*[0-~]?`,
  "g",
);

/** A line without anything to interpret, as most are. */
const PLAIN = /^[ -~]*$/;

/**
 * Splits a line of output into parts by its colours and styles. They end with the line, so that no line can hide a later
 * one; concealed text is shown. Other sequences are removed, and other control characters are shown as symbols.
 */
export function parseLine(line: string): readonly Span[] {
  if (PLAIN.test(line)) return line === "" ? [] : [{ text: line, style: "" }];
  const spans: Span[] = [];
  let style = DEFAULT;
  let from = 0;
  const text = overwrite(line);
  const add = (part: string) => {
    if (part !== "") spans.push({ text: show(part), style: classesOf(style) });
  };
  for (const match of text.matchAll(SEQUENCE)) {
    add(text.slice(from, match.index));
    from = match.index + match[0].length;
    if (match[2] === "m") style = select(style, match[1] ?? "");
  }
  add(text.slice(from));
  return spans;
}

/** The text of a line without styles. */
export function plainText(line: string): string {
  return PLAIN.test(line) ? line : show(overwrite(line).replace(SEQUENCE, ""));
}

/** A carriage return, which arrives as a newline, starts the line again: the last text of a progress display counts. */
function overwrite(line: string): string {
  if (!/[\r\n]/.test(line)) return line;
  const parts = line.split(/[\r\n]+/).filter((part) => part !== "");
  return parts.at(-1) ?? "";
}

const TAB = "        ";

/** Characters of which some are not shown as they are: controls, formats, separators and others without a shape. */
const SPECIAL = /[\p{C}\p{Zl}\p{Zp}]/u;

function show(text: string): string {
  if (!SPECIAL.test(text)) return text;
  const symbols = text.replaceAll("\t", TAB).replace(/[\p{Cc}]/gu, (character) => {
    const code = character.charCodeAt(0);
    return code < 32 ? String.fromCharCode(0x2400 + code) : code === 127 ? "\u2421" : character;
  });
  return printable(symbols);
}

const FLAGS: Readonly<Record<number, string>> = {
  1: "bold",
  2: "dim",
  3: "italic",
  4: "underline",
  7: "inverse",
  9: "strike",
};

/** Applies the parameters of "select graphic rendition" (ECMA-48, 8.3.117; ISO 8613-6 for colours by number). */
function select(style: Style, parameters: string): Style {
  let { foreground, background } = style;
  const flags = new Set(style.flags);
  const codes = parameters.split(/[;:]/).map(Number);
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at] ?? 0;
    const flag = FLAGS[code];
    if (code === 0) {
      foreground = background = null;
      flags.clear();
    } else if (flag !== undefined) flags.add(flag);
    else if (code === 22) {
      flags.delete("bold");
      flags.delete("dim");
    } else if (code >= 23 && code <= 29) flags.delete(FLAGS[code - 20] ?? "");
    else if (code >= 30 && code <= 37) foreground = code - 30;
    else if (code >= 90 && code <= 97) foreground = code - 82;
    else if (code >= 40 && code <= 47) background = code - 40;
    else if (code >= 100 && code <= 107) background = code - 92;
    else if (code === 39) foreground = null;
    else if (code === 49) background = null;
    else if (code === 38 || code === 48) {
      const isNumber = codes[at + 1] === 5;
      const colour = isNumber ? nearestOfNumber(codes[at + 2] ?? 0) : nearest(codes.slice(at + 2, at + 5));
      if (code === 38) foreground = colour;
      else background = colour;
      at += isNumber ? 2 : 4;
    }
  }
  return { foreground, background, flags };
}

function classesOf({ foreground, background, flags }: Style): string {
  const isInverse = flags.has("inverse");
  const front = isInverse ? (background ?? "base") : foreground;
  const back = isInverse ? (foreground ?? "base") : background;
  const names = [...flags].filter((flag) => flag !== "inverse").map((flag) => `sgr-${flag}`);
  if (front !== null) names.push(`fg-${front}`);
  // Text in the colour of its background would be hidden.
  if (back !== null && (back === "base" || back !== front)) names.push(`bg-${back}`);
  return names.join(" ");
}

/** The usual red, green and blue of the colours 0 to 15. */
const PALETTE: readonly (readonly number[])[] = [
  ...[0, 205].flatMap((blue) => [0, 205].flatMap((green) => [0, 205].map((red) => [red, green, blue]))),
  ...[0, 255].flatMap((blue) => [0, 255].flatMap((green) => [0, 255].map((red) => [red, green, blue]))),
].map((colour, at) => (at === 7 ? [229, 229, 229] : at === 8 ? [127, 127, 127] : colour));

/** The nearest of the 16 colours that the style sheet has. */
function nearest(colour: readonly number[]): number {
  const distance = (other: readonly number[]) =>
    other.reduce((sum, value, at) => sum + (value - (colour[at] ?? 0)) ** 2, 0);
  const distances = PALETTE.map(distance);
  return distances.indexOf(Math.min(...distances));
}

/** A colour of the usual 256: 16 as above, a cube of six steps each, and 24 greys. */
function nearestOfNumber(number: number): number {
  if (number < 16) return number;
  if (number >= 232) {
    const grey = 8 + (number - 232) * 10;
    return nearest([grey, grey, grey]);
  }
  const step = (value: number) => (value === 0 ? 0 : 55 + value * 40);
  const index = number - 16;
  return nearest([step(Math.floor(index / 36)), step(Math.floor(index / 6) % 6), step(index % 6)]);
}
