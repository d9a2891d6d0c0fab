import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pages, ROOT } from "./pages.ts";

/** Marks a line that quotes messages of hooklatch in code spans before the mark. */
const MARK = "<!-- msg -->";

/** Parts of a quoted message that the program fills in. A page writes other such parts as `…`. */
const VARIABLE =
  /"[^"]*"|https?:\/\/\S+|\S*\/\S*|\b[\w-]+(?:\.[\w-]+)+(?::\d+)?|\b\d+\w*\b|…|\[\d+\]|\bNAME\b/g;

/** The texts that contain messages: source files, and the snapshots of tests. */
const texts = [
  ...readTexts("src", ".ts"),
  ...readTexts("test", ".snap").flatMap((text) => text.split("\n")),
].map((text) => text.replaceAll("\\", ""));

function readTexts(directory: string, extension: string): readonly string[] {
  const files = readdirSync(join(ROOT, directory), { recursive: true, encoding: "utf8" });
  return files
    .filter((file) => file.endsWith(extension))
    .map((file) => readFileSync(join(ROOT, directory, file), "utf8"));
}

/** Whether a text contains the fixed parts of a message, in order and close to each other. */
function isKnown(message: string): boolean {
  const parts = message
    .split(VARIABLE)
    .map((part) => part.replaceAll(/^\W+|\W+$/g, ""))
    .filter((part) => part.length > 2);
  const pattern = new RegExp(parts.map(RegExp.escape).join("[\\s\\S]{0,300}?"));
  return parts.length > 0 && texts.some((text) => pattern.test(text));
}

/** Every message that a page quotes, as `page:line: message`. */
const quoted = pages.flatMap(({ path, text }) =>
  text.split("\n").flatMap((line, index) => {
    if (!line.includes(MARK)) return [];
    const spans = (line.split(MARK)[0] ?? "").matchAll(/(`+) ?(.+?) ?\1/g);
    return Array.from(spans, ([, , message = ""]) => ({ place: `${path}:${index + 1}`, message }));
  }),
);

test("every message that the documentation quotes exists", () => {
  expect(quoted.length).toBeGreaterThan(60);
  const unknown = quoted.filter(({ message }) => !isKnown(message));
  expect(unknown.map(({ place, message }) => `${place}: ${message}`)).toEqual([]);
});

test("a message that does not exist is found", () => {
  expect(isKnown("the flux capacitor of /srv/blog is empty")).toBe(false);
  expect(isKnown('"main" 443')).toBe(false);
});
