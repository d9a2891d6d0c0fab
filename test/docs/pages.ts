import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The repository's directory. */
export const ROOT = join(import.meta.dir, "../..");

/** A page of the documentation. */
export interface Page {
  /** Its path in the repository. */
  readonly path: string;
  readonly text: string;
}

/** README, the other pages at the top, and docs/. */
export const pages: readonly Page[] = [
  ...readdirSync(ROOT).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(ROOT, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
].map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));

/** Returns the text of a page. */
export function pageText(path: string): string {
  const page = pages.find((each) => each.path === path);
  if (page === undefined) throw new Error(`${path} is missing`);
  return page.text;
}

/** A fenced block of code. */
export interface Block {
  readonly language: string;
  /** Without the indentation of the fence. */
  readonly code: string;
}

/** The fenced blocks of a page, in order. */
export function blocksOf(text: string): readonly Block[] {
  const fences = text.matchAll(/^( *)```(\w*)\n([\s\S]*?)^ *```$/gm);
  return Array.from(fences, ([, indent = "", language = "", code = ""]) => ({
    language,
    code: code.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
  }));
}

/** A page without its fenced blocks. */
export function proseOf(text: string): string {
  return text.replaceAll(/^( *)```(\w*)\n([\s\S]*?)^ *```$/gm, "");
}

/** The anchor that GitHub gives a heading. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, "")
    .replaceAll(" ", "-");
}
