import { writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Runs `hooklatch demo` and draws what it prints as docs/images/demo.svg, the picture in the README. Ports, directories,
 * times and commits differ from run to run and are replaced, so that only a changed demo changes more than milliseconds.
 *
 *   npx bun@1.4.5 run docs:picture
 */

const ROOT = join(import.meta.dir, "../..");
const PICTURE = join(ROOT, "docs/images/demo.svg");

/** Columns of the drawn terminal; a longer line is cut. */
const COLUMNS = 96;

/** Pixels. */
const FONT_SIZE = 14;
const COLUMN = 8.43;
const LINE = 20;
const MARGIN = 20;
const TITLE_BAR = 34;

const COLOURS = {
  background: "#16181d",
  bar: "#24272e",
  text: "#d5d9e0",
  dim: "#8b93a1",
  heading: "#ffffff",
  good: "#7fd88f",
  bad: "#f08a80",
  accent: "#7fc4f0",
} as const;

type Colour = keyof typeof COLOURS;

interface Run {
  readonly text: string;
  readonly colour: Colour;
  readonly isBold?: boolean;
}

function readDemo(): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([join(ROOT, "dist/hooklatch"), "demo"], {
    env: { ...process.env, NO_COLOR: "1" },
  });
  if (exitCode !== 0) throw new Error(`hooklatch demo exited with ${exitCode}: ${stderr.toString()}`);
  return stdout.toString();
}

/** The demo's steps with fixed values in place of the random ones; without the advice at its end. */
function normalise(output: string): string[] {
  const steps = output
    .replaceAll(/127\.0\.0\.1:\d+/g, "127.0.0.1:9000")
    .replaceAll(/\/\S*hooklatch-demo-\w+/g, "/tmp/hooklatch-demo")
    .trimEnd()
    .split("\n");
  const end = steps.findLastIndex((line) => line.startsWith("    "));
  const commits = new Map<string, string>();
  return steps.slice(0, end + 1).map((line) =>
    line.replaceAll(/\d{8}T\d{6}Z-([0-9a-f]{12})/g, (_, commit: string) => {
      const known = commits.get(commit) ?? ["1f8c02d7a9b3", "6b0e94ad51c8"][commits.size] ?? commit;
      commits.set(commit, known);
      return `20261121T20300${[...commits.keys()].indexOf(commit)}Z-${known}`;
    }),
  );
}

function colourLine(line: string): readonly Run[] {
  if (/^\d+\. /.test(line)) return [{ text: line, colour: "heading", isBold: true }];
  const [, request, code, rest] = /^(\s+(?:GET|POST)\s+)(\d{3})(.*)$/.exec(line) ?? [];
  if (request !== undefined && code !== undefined && rest !== undefined) {
    return [
      { text: request, colour: "dim" },
      { text: code, colour: code.startsWith("2") ? "good" : "bad", isBold: true },
      { text: rest, colour: "text" },
    ];
  }
  const [, before, link] = /^(.*?)(current -> \S+)$/.exec(line) ?? [];
  if (before !== undefined && link !== undefined) {
    return [
      { text: before, colour: "text" },
      { text: link, colour: "accent" },
    ];
  }
  return [{ text: line, colour: /^\s+</.test(line) ? "accent" : "dim" }];
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function draw(lines: readonly string[]): string {
  const width = Math.round(COLUMNS * COLUMN + 2 * MARGIN);
  const height = TITLE_BAR + lines.length * LINE + 2 * MARGIN - 6;
  const texts = lines.map((line, index) => drawLine(line, TITLE_BAR + MARGIN + (index + 0.6) * LINE));
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="Output of hooklatch demo">
<rect width="${width}" height="${height}" rx="8" fill="${COLOURS.background}"/>
<path d="M0 ${TITLE_BAR}V8a8 8 0 0 1 8-8h${width - 16}a8 8 0 0 1 8 8v${TITLE_BAR - 8}z" fill="${COLOURS.bar}"/>
<g fill="#4a4f5a"><circle cx="20" cy="17" r="6"/><circle cx="40" cy="17" r="6"/><circle cx="60" cy="17" r="6"/></g>
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="${FONT_SIZE}" xml:space="preserve">
${texts.filter((text) => text !== "").join("\n")}
</g>
</svg>
`;
}

function drawLine(line: string, y: number): string {
  if (line === "") return "";
  const cut = line.length > COLUMNS ? `${line.slice(0, COLUMNS - 1)}…` : line;
  const runs = line.startsWith("$ ") ? [{ text: line, colour: "good" } satisfies Run] : colourLine(cut);
  const spans = runs.map(({ text, colour, isBold = false }: Run) => {
    const weight = isBold ? ' font-weight="bold"' : "";
    return `<tspan fill="${COLOURS[colour]}"${weight}>${escapeXml(text)}</tspan>`;
  });
  // Whatever the font, a line is as wide as its columns.
  const length = (cut.length * COLUMN).toFixed(1);
  return `<text x="${MARGIN}" y="${y.toFixed(0)}" textLength="${length}" lengthAdjust="spacingAndGlyphs">${spans.join("")}</text>`;
}

writeFileSync(PICTURE, draw(["$ hooklatch demo", ...normalise(readDemo())]));
console.log(`wrote ${PICTURE}`);
