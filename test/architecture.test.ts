import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

const SRC = join(import.meta.dir, "../src");

/** Which rooms a room may import from, beside itself. A file of `src` itself is a room of its own. */
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

/** The runtime is a seam: only these touch `bun:` modules or the `Bun` global. */
const MAY_TOUCH_BUN = [
  "http/listen.ts",
  "http/kernel-port.ts",
  "store/sqlite/open.ts",
  "deploy/process.ts",
  "providers/hmac.ts",
  "providers/password.ts",
  "main.ts",
];

/** Names for drawers into which anything fits. */
const DRAWERS = /(^|\/)(utils?|helpers?|types?|common|misc|shared)(\/|\.ts$)/;

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

function roomOf(file: string): string {
  return file.split("/")[0] ?? file;
}

/** The code without comments and string contents, so that words in prose do not count. */
function codeOf(file: string): string {
  return (sources.get(file) ?? "")
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/(^|\s)\/\/.*$/gm, "")
    .replace(/"(?:[^"\\n]|\.)*"/g, '""');
}

describe("the rooms of src", () => {
  test("are all known to this test", () => {
    expect(files.map(roomOf).filter((room) => MAY_IMPORT[room] === undefined)).toEqual([]);
    expect(files.length).toBeGreaterThan(30);
  });

  test("import only from rooms that they may know", () => {
    const broken = [...imports].flatMap(([file, specifiers]) =>
      specifiers.flatMap((specifier) => {
        const imported = resolveInside(file, specifier);
        if (imported === null || roomOf(imported) === roomOf(file)) return [];
        return MAY_IMPORT[roomOf(file)]?.includes(roomOf(imported)) ? [] : [`${file} imports ${imported}`];
      }),
    );
    expect(broken).toEqual([]);
  });

  test("have no circles of imports, types included", () => {
    const done = new Set<string>();
    const circles: string[] = [];
    function visit(file: string, path: readonly string[]): void {
      if (path.includes(file)) {
        circles.push([...path.slice(path.indexOf(file)), file].join(" -> "));
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
    expect(circles).toEqual([]);
  });

  test("keep the web framework in http/", () => {
    const users = [...imports].filter(([, specifiers]) =>
      specifiers.some((name) => name.startsWith("elysia")),
    );
    expect(users.map(([file]) => roomOf(file))).toEqual(users.map(() => "http"));
    expect(users.length).toBeGreaterThan(0);
  });

  test("keep the runtime in seven files", () => {
    const users = files.filter(
      (file) => /\bBun\b/.test(codeOf(file)) || imports.get(file)?.some((name) => name.startsWith("bun")),
    );
    expect(users.filter((file) => !MAY_TOUCH_BUN.includes(file))).toEqual([]);
  });

  test("hold no `any`, no suppressed type error and no drawer of odds and ends", () => {
    const suspicious = /@ts-(?:ignore|expect-error|nocheck)|biome-ignore/;
    expect(files.filter((file) => suspicious.test(sources.get(file) ?? ""))).toEqual([]);
    expect(files.filter((file) => /\bas any\b|:\s*any\b|<any>/.test(codeOf(file)))).toEqual([]);
    expect(files.filter((file) => DRAWERS.test(file) || !/^[a-z0-9./-]+$/.test(file))).toEqual([]);
  });

  test("have doc comments on what they export", () => {
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

  test("are tested by a test tree of the same shape", () => {
    const rooms = new Set(readdirSync(join(SRC, "../test")));
    // What wires the others is tested on the executable.
    const expected = [...new Set(files.map(roomOf))].filter(
      (room) => !room.endsWith(".ts") && room !== "app",
    );
    expect(expected.filter((room) => !rooms.has(room))).toEqual([]);
  });
});
