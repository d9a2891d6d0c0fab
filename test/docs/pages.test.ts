import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { findPlatforms } from "../../.github/release/platforms.ts";
import { anchorOf, blocksOf, pages, pageText, proseOf, ROOT } from "./pages.ts";

function anchorsOf(text: string): ReadonlySet<string> {
  const seen = new Map<string, number>();
  const headings = proseOf(text).matchAll(/^#{1,6} (.+)$/gm);
  const anchors = Array.from(headings, ([, heading = ""]) => {
    const anchor = anchorOf(heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1"));
    const count = seen.get(anchor) ?? 0;
    seen.set(anchor, count + 1);
    return count === 0 ? anchor : `${anchor}-${count}`;
  });
  return new Set(anchors);
}

/** Every link of a page to a file or anchor of the repository that does not exist. */
function findBrokenLinks({ path, text }: (typeof pages)[number]): readonly string[] {
  const links = Array.from(proseOf(text).matchAll(/\]\(([^)\s]+)\)/g), ([, link = ""]) => link);
  return links.filter((link) => {
    if (/^[a-z]+:/.test(link)) return false;
    const [file = "", anchor] = link.split("#");
    const target = file === "" ? path : normalize(join(dirname(path), file));
    if (!existsSync(join(ROOT, target))) return true;
    return anchor !== undefined && !anchorsOf(readFileSync(join(ROOT, target), "utf8")).has(anchor);
  });
}

describe("the documentation", () => {
  test.each(pages.map((page) => [page.path, page] as const))("%s has no broken link", (_, page) => {
    expect(findBrokenLinks(page)).toEqual([]);
  });

  test("is complete in the README, which has at most 12 KB", () => {
    const readme = pageText("README.md");
    expect(Buffer.byteLength(readme)).toBeLessThanOrEqual(12 * 1024);
    const listed = readdirSync(join(ROOT, "docs")).filter((name) => name.endsWith(".md"));
    expect(listed.filter((name) => !readme.includes(`(docs/${name})`))).toEqual([]);
  });

  test("runs only scripts of package.json, for platforms that exist", () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    const runs = pages.flatMap(({ text }) =>
      Array.from(
        text.matchAll(/\bbun(?:@[\d.]+)? run ([\w:]+)((?: [\w-]+)*)/g),
        ([, name = "", words = ""]) => ({
          name,
          words: words.split(" ").filter((word) => word !== ""),
        }),
      ),
    );
    expect(runs.length).toBeGreaterThan(20);
    expect(runs.filter(({ name }) => !Object.hasOwn(scripts, name))).toEqual([]);
    for (const { name, words } of runs) if (["build", "release"].includes(name)) findPlatforms(words);
  });

  test("has valid JSON", () => {
    const blocks = pages.flatMap(({ text }) => blocksOf(text));
    const documents = blocks.filter(({ language }) => language === "json");
    expect(documents.length).toBeGreaterThan(3);
    for (const { code } of documents) JSON.parse(code);
  });
});

describe("docs/architecture.md", () => {
  const text = pageText("docs/architecture.md");

  test("names only paths that exist", () => {
    const tables = text.split("\n").filter((line) => line.startsWith("|"));
    const [diagram] = blocksOf(text);
    const paths = [
      ...tables.flatMap((line) =>
        Array.from(line.matchAll(/`((?:[a-z]+\/)[a-z/.-]*)`/g), ([, path]) => path),
      ),
      ...Array.from((diagram?.code ?? "").matchAll(/^ *([a-z]+\/[a-z/-]+)/gm), ([, path]) => path),
    ].filter((path) => path !== undefined);
    const exists = (path: string) =>
      [`src/${path}`, `src/${path}.ts`, path].some((candidate) => existsSync(join(ROOT, candidate)));
    expect(paths.length).toBeGreaterThan(20);
    expect(paths.filter((path) => !exists(path))).toEqual([]);
  });

  test("names every directory of src", () => {
    const directories = readdirSync(join(ROOT, "src"), { withFileTypes: true }).filter((entry) =>
      entry.isDirectory(),
    );
    expect(
      directories.filter(({ name }) => !text.includes(`| \`${name}/\` |`)).map(({ name }) => name),
    ).toEqual([]);
  });

  test("names every dependency", () => {
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    const [, table = ""] = text.split("## Dependencies");
    expect(Object.keys(dependencies).filter((name) => !table.includes(name))).toEqual([]);
  });
});

describe("docs/asvs.md", () => {
  /** `file.test.ts` "title", and further titles of the same file. */
  const references = Array.from(
    pageText("docs/asvs.md").matchAll(/`([\w/.-]+\.(?:test|contract)\.ts)`((?:,? "[^"]+")+)/g),
    ([, file = "", titles = ""]) => ({
      file,
      titles: Array.from(titles.matchAll(/"([^"]+)"/g), ([, title = ""]) => title),
    }),
  );

  test("refers to tests that exist", () => {
    expect(references.length).toBeGreaterThan(50);
    const missing = references.flatMap(({ file, titles }) => {
      const path = join(ROOT, "test", file.replace(/^hard-shell\//, "binary/hard-shell/"));
      if (!existsSync(path)) return [file];
      const source = readFileSync(path, "utf8");
      return titles.filter((title) => !source.includes(title)).map((title) => `${file}: ${title}`);
    });
    expect(missing).toEqual([]);
  });
});
