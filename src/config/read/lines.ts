import { type AST, ParseError, parseTOML } from "toml-eslint-parser";
import { type ConfigIssue, child, isTable, type Place } from "./issues.ts";
import type { ConfigDocument } from "./toml.ts";

/** Adds to issues the lines of their settings, and the names of the targets, sources and notifications. */
export function locateIssues(
  issues: readonly ConfigIssue[],
  { text, label, table }: Pick<ConfigDocument, "text" | "label" | "table">,
): readonly ConfigIssue[] {
  if (!issues.some(({ file }) => file === label)) return issues;
  const lines = readLines(text, label);
  return issues.map((issue) =>
    issue.file === label
      ? { ...issue, line: findLine(issue.path, lines), owner: nameOwner(issue.path, table) }
      : issue,
  );
}

/** The line of a setting or, when it is not written, of the table that it belongs to. */
function findLine(path: string, lines: ReadonlyMap<string, number>): number | null {
  for (let at = path; at !== ""; at = at.replace(LAST_PART, "")) {
    const line = lines.get(at);
    if (line !== undefined) return line;
  }
  return null;
}

/** The last key or index of a path; see {@link child}. */
const LAST_PART = /(?:\[\d+\]|\.?(?:[\w-]+|"(?:[^"\\]|\\.)*"))$/;

/** Such as `target "blog"`. Null for other settings, and where the name itself is missing or faulty. */
function nameOwner(path: string, table: Readonly<Record<string, unknown>>): string | null {
  const [, kind = "", index] = /^(source|target|notify)\[(\d+)\]/.exec(path) ?? [];
  const list = table[kind];
  const entry: unknown = Array.isArray(list) ? list[Number(index)] : undefined;
  const name = isTable(entry) ? entry.name : undefined;
  return typeof name === "string" && /^[\w.-]{1,64}$/.test(name) ? `${kind} "${name}"` : null;
}

/** The line of every table, key and item of a list, by its path. Empty for a text that this parser rejects. */
function readLines(text: string, file: string): ReadonlyMap<string, number> {
  const lines = new Map<string, number>();
  const add = (place: Place, { loc }: AST.TOMLNode) => {
    if (!lines.has(place.path)) lines.set(place.path, loc.start.line);
  };

  function addContent(place: Place, node: AST.TOMLContentNode): void {
    if (node.type === "TOMLInlineTable") addKeys(place, node.body);
    if (node.type !== "TOMLArray") return;
    for (const [index, element] of node.elements.entries()) {
      const at = child(place, index);
      add(at, element);
      addContent(at, element);
    }
  }

  function addKeys(place: Place, entries: readonly AST.TOMLKeyValue[]): void {
    for (const { key, value } of entries) {
      let at = place;
      for (const part of key.keys) {
        at = child(at, part.type === "TOMLBare" ? part.name : part.value);
        add(at, part);
      }
      addContent(at, value);
    }
  }

  const root = { file, path: "" };
  for (const node of parse(text)?.body ?? []) {
    if (node.type === "TOMLKeyValue") addKeys(root, [node]);
    else {
      let at: Place = root;
      for (const part of node.resolvedKey) {
        at = child(at, part);
        add(at, node);
      }
      addKeys(at, node.body);
    }
  }
  return lines;
}

/** Null for a text that this parser rejects, although the one that read the values accepts it. */
function parse(text: string): AST.TOMLTopLevelTable | null {
  try {
    return parseTOML(text, { tomlVersion: "1.0" }).body[0];
  } catch (error) {
    if (error instanceof ParseError) return null;
    throw error;
  }
}
