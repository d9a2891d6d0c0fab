import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { providers } from "../src/providers/index.ts";

const SRC = join(import.meta.dir, "../src");

/** Layers that only use the ones below them, and never each other. */
const SIBLINGS = ["providers", "deploy", "store", "notify", "acme", "config"];
const BELOW_APP = ["lib", "runtime", "domain", "flow", ...SIBLINGS, "api", "http"];

/** The code that runs in a browser. */
const PAGE = "web/page/";

/** The layers that each layer may import from, besides itself. A file directly in `src` is a layer of its own. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  runtime: ["lib"],
  domain: ["lib"],
  ...Object.fromEntries(SIBLINGS.map((layer) => [layer, ["lib", "runtime", "domain"]])),
  notify: ["lib", "runtime", "domain", "api"],
  flow: ["lib", "domain"],
  api: ["lib", "domain"],
  web: ["lib", "domain", "api"],
  http: ["lib", "runtime", "domain", "flow", "api", "web"],
  app: BELOW_APP,
  doctor: BELOW_APP,
  import: ["lib", "domain", "providers", "config"],
  cli: [...BELOW_APP, "app", "doctor", "import"],
  "main.ts": ["cli", "lib"],
  "deno.ts": ["main.ts", "store"],
};

/** Test directories that belong to no layer. */
const OTHER_TESTS = [
  "bench",
  "binary",
  "browser",
  "docs",
  "faults",
  "fixtures",
  "fuzz",
  "release",
  "support",
  "system",
];

/**
 * Product text for users of a particular provider: the demo, a first configuration, an example in the help, and the
 * signatures that hooks of another program check.
 */
const MAY_NAME_PROVIDERS = [
  "cli/commands/demo.ts",
  "cli/commands/hash.ts",
  "cli/output/first-configuration.ts",
  "import/senders.ts",
];

/** Names that do not describe the content of a file or directory. */
const CATCH_ALL_NAMES = /(^|\/)(utils?|helpers?|types?|common|misc|shared)(\/|\.tsx?$)/;

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((file) => /\.tsx?$/.test(file) && !file.endsWith(".d.ts"))
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

interface SplitSource {
  /** The source without comments and the text in literals, so that words in prose do not count as code. */
  readonly code: string;
  /** The texts of strings and the parts of templates. */
  readonly literals: readonly string[];
}

function splitSource(source: string): SplitSource {
  const open: string[] = [];
  const literals: string[] = [];
  let code = "";
  for (let at = 0; at < source.length; ) {
    const character = source[at] ?? "";
    const isTemplate = character === "`" || (character === "}" && open.pop() === "${");
    const pattern = isTemplate ? TEMPLATE_PART : TEXT;
    pattern.lastIndex = at;
    const [text, end = ""] = pattern.exec(source) ?? [character];
    if (isTemplate && end === "") throw new Error(`unterminated template literal at ${at}`);
    if (text === "{" || end === "${") open.push(end || text);
    const isComment = text.startsWith("//") || text.startsWith("/*");
    if (isTemplate) code += character + end;
    else if (text.length === 1) code += text;
    else if (!isComment) code += '""';
    if (isTemplate) literals.push(text.slice(1, -end.length));
    else if (/^["']./.test(text)) literals.push(text.slice(1, -1));
    at += text.length;
  }
  if (open.length > 0) throw new Error("unbalanced braces");
  return { code, literals };
}

const split = new Map([...sources].map(([file, source]) => [file, splitSource(source)]));
const filesWith = (pattern: RegExp) => files.filter((file) => pattern.test(split.get(file)?.code ?? ""));

test("splitSource separates code from the text in literals, and removes comments", () => {
  const source = [
    'any("no any", "an \\" any", \'any "\'); // "any',
    "Bun(/[/\"`]any/g, 1 / any / 2); /* Bun\n */ `Bun ${Bun(`}any${{ any: '}' }.any}`)} any`;",
  ].map(splitSource);
  expect(source.map(({ code }) => code)).toEqual([
    'any("", "", ""); ',
    'Bun("", 1 / any / 2);  `${Bun(`${{ any: "" }.any}`)}`;',
  ]);
  expect(source.map(({ literals }) => literals)).toEqual([
    ["no any", 'an \\" any', 'any "'],
    ["Bun ", "}any", "}", "", " any"],
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

  test("reach the page of the dashboard only through its bundle, and its libraries only in it", () => {
    const outside = [...imports].filter(([file]) => !file.startsWith(PAGE));
    const importsPage = outside.filter(([file, specifiers]) =>
      specifiers.some((specifier) => resolveInside(file, specifier)?.startsWith(PAGE)),
    );
    expect(importsPage).toEqual([]);
    expect(outside.filter(([, specifiers]) => specifiers.some((name) => /^@?preact\b/.test(name)))).toEqual(
      [],
    );
    expect(files.filter((file) => file.startsWith(PAGE)).length).toBeGreaterThan(20);
  });

  test("send no server code to browsers: the page imports only types from api/", () => {
    const importsApi = /^(?:import|export) (?!type )[^;]*from "(?:\.\.\/)+api\//m;
    expect(files.filter((file) => file.startsWith(PAGE) && importsApi.test(sources.get(file) ?? ""))).toEqual(
      [],
    );
    expect(importsApi.test('import { ApiStatus } from "../../api/status.ts";')).toBe(true);
  });

  test("use the web framework only in http/", () => {
    const users = [...imports].filter(([, specifiers]) =>
      specifiers.some((name) => name.startsWith("elysia")),
    );
    expect(users.map(([file]) => layerOf(file))).toEqual(users.map(() => "http"));
    expect(users.length).toBeGreaterThan(0);
  });

  test.each([
    ["acme-client", "acme"],
    ["nodemailer", "notify"],
    ["yaml", "import"],
  ])("load %s only when it is needed, in %s/", (library, layer) => {
    const users = files.filter((file) => imports.get(file)?.includes(library));
    const atStart = new RegExp(`^import (?!type )[^;]*"${library}"`, "m");
    expect(users.filter((file) => atStart.test(sources.get(file) ?? ""))).toEqual([]);
    expect(users.map(layerOf)).toEqual(users.map(() => layer));
    expect(users.length).toBeGreaterThan(0);
  });

  test("load the store in Postgres, and its driver, only when it is needed", () => {
    const users = files.filter((file) => imports.get(file)?.includes("pg"));
    expect(users.length).toBeGreaterThan(0);
    expect(users.every((file) => file.includes("store/postgres/"))).toBe(true);
    const atStart = /^import (?!type )[^;]*"[^"]*postgres\/index\.ts"/m;
    expect(files.filter((file) => atStart.test(sources.get(file) ?? ""))).toEqual([]);
  });

  test("load the CEL library only when it is needed", () => {
    const cel = /^(?:import|export) (?!type )[\w*{},\s]* from "\.\/cel\.ts"/m;
    expect(files.filter((file) => cel.test(sources.get(file) ?? ""))).toEqual([]);
    expect(files.filter((file) => imports.get(file)?.includes("@marcbachmann/cel-js"))).toEqual([
      "lib/cel.ts",
      "lib/expression-budget.ts",
    ]);
  });

  test.each([
    ["bun", /\bBun\b/, /^bun(:|$)/],
    ["deno", /\bDeno\b/, /^(node:(http|https|sqlite|worker_threads)|hash-wasm)$/],
  ])("use %s only in its directory of runtime/", (runtime, global, modules) => {
    const users = new Set([
      ...filesWith(global),
      ...files.filter((file) => imports.get(file)?.some((name) => modules.test(name))),
    ]);
    // The entry of the bundle for Deno, and a module of Node that Bun has too.
    const allowed = ["deno.ts", "runtime/bun/thread.ts", "acme/client.ts"];
    expect(
      [...users].filter((file) => !file.startsWith(`runtime/${runtime}/`) && !allowed.includes(file)),
    ).toEqual([]);
    expect(users.size).toBeGreaterThan(allowed.length - 1);
  });

  test("reach the runtime only through runtime/index.ts, whose conditions choose it", () => {
    expect(files.filter((file) => imports.get(file)?.includes("#runtime"))).toEqual(["runtime/index.ts"]);
    const entries = [...imports].flatMap(([file, specifiers]) =>
      specifiers.flatMap((specifier) => {
        const imported = resolveInside(file, specifier);
        return layerOf(file) !== "runtime" && imported?.startsWith("runtime/") ? [imported] : [];
      }),
    );
    expect([...new Set(entries)]).toEqual(["runtime/index.ts"]);
  });

  test("send requests only through the HTTP client", () => {
    const usesFetch =
      /\b(?:globalThis\.|(?:return|await|void|yield)\s+)fetch\b|[=(,:?>&|!]\s*fetch\b(?!\??:)/;
    expect(
      ["return fetch(url)", "(fetch(url))", "= fetch;", "globalThis.fetch(url)"].every((code) =>
        usesFetch.test(code),
      ),
    ).toBe(true);
    expect(
      ["git.fetch(url)", "async fetch(url) {", ";\n  fetch(url): Promise<void>"].some((code) =>
        usesFetch.test(code),
      ),
    ).toBe(false);
    const users = filesWith(usesFetch);
    expect(users.filter((file) => !file.startsWith(PAGE))).toEqual(["runtime/bun/index.ts"]);
    // The page asks only its own server, with relative addresses.
    expect(users.filter((file) => file.startsWith(PAGE))).toEqual([
      "web/page/log/tools.ts",
      "web/page/request.ts",
      "web/page/stream.ts",
    ]);
  });

  test("pass data in parameters and results", () => {
    expect(filesWith(/\b(?:WeakMap|AsyncLocalStorage)\b/)).toEqual([]);
  });

  test("name no provider outside providers/", () => {
    // The formats of notifications have these names, too.
    const formats = ["standard", "slack"];
    const own = providers.map(({ name }) => name).filter((name) => !formats.includes(name));
    const names = [...own, "forgejo"].join("|");
    const pattern = new RegExp(`^(?:${names})$|"(?:${names})"`);
    const naming = files.filter(
      (file) => layerOf(file) !== "providers" && split.get(file)?.literals.some((text) => pattern.test(text)),
    );
    expect(naming).toEqual(MAY_NAME_PROVIDERS);
  });

  test("contain no `any`, no suppressed type errors and no catch-all names", () => {
    const suspicious = /@ts-(?:ignore|expect-error|nocheck)|biome-ignore/;
    expect(files.filter((file) => suspicious.test(sources.get(file) ?? ""))).toEqual([]);
    expect(filesWith(/\bas any\b|:\s*any\b|<any>/)).toEqual([]);
    expect(files.filter((file) => CATCH_ALL_NAMES.test(file) || !/^[a-z0-9./-]+$/.test(file))).toEqual([]);
  });

  test("document every export", () => {
    const contract = sources.get("runtime/contract.ts") ?? "";
    const undocumented = files.flatMap((file) => {
      const lines = (sources.get(file) ?? "").split("\n");
      return lines.flatMap((line, at) => {
        const name = /^export (?:async )?(?:function|class|interface|const) (\w+)/.exec(line)?.[1];
        // The contract documents what each runtime implements.
        const isInContract = /^runtime\/(bun|deno)\//.test(file) && contract.includes(`  readonly ${name}: `);
        if (name === undefined || isInContract) return [];
        const before = lines[at - 1]?.trim() ?? "";
        return before.endsWith("*/") ? [] : [`${file}:${at + 1} ${line}`];
      });
    });
    expect(undocumented).toEqual([]);
  });

  test("have test directories of the same name", () => {
    const entries = readdirSync(join(SRC, "../test"), { withFileTypes: true });
    const directories = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    // The tests of app/ run the executable.
    const layers = [...new Set(files.map(layerOf))].filter(
      (layer) => !layer.endsWith(".ts") && layer !== "app",
    );
    expect(directories.toSorted()).toEqual([...layers, ...OTHER_TESTS].toSorted());
  });
});
