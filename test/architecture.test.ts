import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

const SRC = join(import.meta.dir, "../src");

/** The layers that each layer may import from, besides itself. A file directly in `src` is a layer of its own. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  flow: ["domain"],
  providers: ["domain"],
  deploy: ["domain"],
  store: ["domain"],
  config: ["domain"],
  notify: ["domain"],
  acme: ["domain"],
  http: ["domain", "flow"],
  "log.ts": ["domain"],
  "clock.ts": ["domain"],
  app: ["domain", "flow", "providers", "deploy", "store", "config", "notify", "acme", "http", "log.ts"],
  "app.ts": [
    "app",
    "domain",
    "flow",
    "providers",
    "deploy",
    "store",
    "config",
    "notify",
    "acme",
    "http",
    "log.ts",
  ],
  cli: [
    "domain",
    "flow",
    "providers",
    "deploy",
    "store",
    "config",
    "notify",
    "acme",
    "http",
    "log.ts",
    "app.ts",
  ],
  "main.ts": ["cli", "clock.ts"],
};

/** The only files that use the runtime: `bun:` modules or the `Bun` global. */
const MAY_TOUCH_BUN = [
  "http/listen.ts",
  "http/kernel-port.ts",
  "store/sqlite/open.ts",
  "deploy/process.ts",
  "providers/hmac.ts",
  "providers/password.ts",
  "main.ts",
];

/** Names that do not describe the content of a file or directory. */
const CATCH_ALL_NAMES = /(^|\/)(utils?|helpers?|types?|common|misc|shared)(\/|\.ts$)/;

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"))
  .sort();
const sources = new Map(files.map((file) => [file, readFileSync(join(SRC, file), "utf8")]));
const imports = new Map(files.map((file) => [file, findImports(file)]));

function findImports(file: string): readonly string[] {
  const pattern =
    /(?:^|\n)\s*(?:import|export)\b[^;"']*?from\s*["']([^"']+)["']|import\(\s*["']([^"']+)["']\s*\)|(?:^|\n)import\s+["']([^"']+)["']/g;
  return [...(sources.get(file) ?? "").matchAll(pattern)].map(
    (match) => match[1] ?? match[2] ?? match[3] ?? "",
  );
}

function resolveInside(file: string, specifier: string): string | null {
  if (!specifier.startsWith(".")) return null;
  const path = normalize(join(dirname(file), specifier));
  return path.startsWith("..") ? null : path;
}

function layerOf(file: string): string {
  return file.split("/")[0] ?? file;
}

/** A comment, a string or a regular expression, which a `/` starts only where no operand can end. */
const TEXT =
  /\/\*[\s\S]*?\*\/|\/\/.*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|(?<=[(,=:[!&|?{;>]\s*|\breturn\s+)\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;

/** A part of a template literal, from its start or the end of a substitution to its end or the next substitution. */
const TEMPLATE_PART = /[`}](?:[^`\\$]|\\[\s\S]|\$(?!\{))*(`|\$\{)/y;

/** The source without comments and the text in literals, so that words in prose do not count as code. */
function stripText(source: string): string {
  const open: string[] = [];
  let code = "";
  for (let at = 0; at < source.length; ) {
    const character = source[at] ?? "";
    const isTemplate = character === "`" || (character === "}" && open.pop() === "${");
    const pattern = isTemplate ? TEMPLATE_PART : TEXT;
    pattern.lastIndex = at;
    const [text, end] = pattern.exec(source) ?? [character];
    if (isTemplate && end === undefined) throw new Error(`unterminated template literal at ${at}`);
    if (text === "{" || end === "${") open.push(end ?? text);
    const isComment = text.startsWith("//") || text.startsWith("/*");
    if (isTemplate) code += character + end;
    else if (text.length === 1) code += text;
    else if (!isComment) code += '""';
    at += text.length;
  }
  if (open.length > 0) throw new Error("unbalanced braces");
  return code;
}

const codeOf = (file: string) => stripText(sources.get(file) ?? "");

test("stripText removes comments and the text in literals, and keeps code", () => {
  const source = [
    'any("no any", "an \\" any", \'any "\'); // "any',
    "Bun(/[/\"`]any/g, 1 / any / 2); /* Bun\n */ `Bun ${Bun(`}any${{ any: '}' }.any}`)} any`;",
  ];
  expect(source.map(stripText)).toEqual([
    'any("", "", ""); ',
    'Bun("", 1 / any / 2);  `${Bun(`${{ any: "" }.any}`)}`;',
  ]);
});

describe("the layers of src", () => {
  test("are all known to this test", () => {
    expect(files.map(layerOf).filter((layer) => MAY_IMPORT[layer] === undefined)).toEqual([]);
    expect(files.length).toBeGreaterThan(30);
  });

  test("import only from the layers that they may import from", () => {
    const violations = [...imports].flatMap(([file, specifiers]) =>
      specifiers.flatMap((specifier) => {
        const imported = resolveInside(file, specifier);
        if (imported === null || layerOf(imported) === layerOf(file)) return [];
        return MAY_IMPORT[layerOf(file)]?.includes(layerOf(imported)) ? [] : [`${file} imports ${imported}`];
      }),
    );
    expect(violations).toEqual([]);
  });

  test("have no import cycles, including type imports", () => {
    const done = new Set<string>();
    const cycles: string[] = [];
    function visit(file: string, path: readonly string[]): void {
      if (path.includes(file)) {
        cycles.push([...path.slice(path.indexOf(file)), file].join(" -> "));
        return;
      }
      if (done.has(file)) return;
      for (const specifier of imports.get(file) ?? []) {
        const imported = resolveInside(file, specifier);
        if (imported !== null && imports.has(imported)) visit(imported, [...path, file]);
      }
      done.add(file);
    }
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });

  test("use the web framework only in http/", () => {
    const users = [...imports].filter(([, specifiers]) =>
      specifiers.some((name) => name.startsWith("elysia")),
    );
    expect(users.map(([file]) => layerOf(file))).toEqual(users.map(() => "http"));
    expect(users.length).toBeGreaterThan(0);
  });

  test("use the runtime only in the listed files", () => {
    const users = files.filter(
      (file) => /\bBun\b/.test(codeOf(file)) || imports.get(file)?.some((name) => name.startsWith("bun")),
    );
    expect(users.filter((file) => !MAY_TOUCH_BUN.includes(file))).toEqual([]);
  });

  test("contain no `any`, no suppressed type errors and no catch-all names", () => {
    const suspicious = /@ts-(?:ignore|expect-error|nocheck)|biome-ignore/;
    expect(files.filter((file) => suspicious.test(sources.get(file) ?? ""))).toEqual([]);
    expect(files.filter((file) => /\bas any\b|:\s*any\b|<any>/.test(codeOf(file)))).toEqual([]);
    expect(files.filter((file) => CATCH_ALL_NAMES.test(file) || !/^[a-z0-9./-]+$/.test(file))).toEqual([]);
  });

  test("document every export", () => {
    const undocumented = files.flatMap((file) => {
      const lines = (sources.get(file) ?? "").split("\n");
      return lines.flatMap((line, at) => {
        if (!/^export (?:async )?(?:function|class|interface|const) /.test(line)) return [];
        const before = lines[at - 1]?.trim() ?? "";
        return before.endsWith("*/") ? [] : [`${file}:${at + 1} ${line}`];
      });
    });
    expect(undocumented).toEqual([]);
  });

  test("have a test directory of the same name", () => {
    const directories = new Set(readdirSync(join(SRC, "../test")));
    // The tests of app/ run the executable.
    const layers = [...new Set(files.map(layerOf))].filter(
      (layer) => !layer.endsWith(".ts") && layer !== "app",
    );
    expect(layers.filter((layer) => !directories.has(layer))).toEqual([]);
  });
});
