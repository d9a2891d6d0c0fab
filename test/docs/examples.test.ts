import { afterAll, describe, expect, test } from "bun:test";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify, type TomlTable } from "smol-toml";
import { describeIssue, type Loaded, loadConfig } from "../../src/config/load.ts";
import { DocumentTable } from "../../src/config/schema.ts";
import { TargetTable } from "../../src/config/target-schema.ts";
import { layouts } from "../../src/deploy/layouts/index.ts";
import { providers } from "../../src/providers/index.ts";
import { makeCertificate } from "../support/certificate.ts";
import { readFullExample } from "./full-example.ts";
import { blocksOf, pages, ROOT } from "./pages.ts";

const EXAMPLES = join(ROOT, "examples");
const HASH = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
const SIGNING_KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/** Stands for /etc/hooklatch and for $CREDENTIALS_DIRECTORY. */
const directory = mkdtempSync(join(tmpdir(), "hooklatch-docs-"));
copyFileSync(makeCertificate(directory, "root").cert, join(directory, "private-ca.pem"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Loads a configuration with the real providers. Every secret that it refers to exists. */
function load(text: string): Loaded {
  const env: Record<string, string> = { CREDENTIALS_DIRECTORY: directory };
  for (const [, kind, name = ""] of text.matchAll(/"(env|credential|file:\/etc\/hooklatch)[:/]([\w.-]+)"/g)) {
    if (kind === "env") env[name] = "0123456789abcdef";
    else writeFileSync(join(directory, name), `${secretFor(name)}\n`);
  }
  const draft = {
    file: join(directory, "hooklatch.toml"),
    label: "hooklatch.toml",
    text: text.replaceAll("/etc/hooklatch", directory),
  };
  return loadConfig(
    undefined,
    { env, cwd: directory },
    { providers, layouts: Object.keys(layouts) },
    { draft },
  );
}

function secretFor(name: string): string {
  if (name === "database.url") return "postgres://hooklatch@db.internal/hooklatch";
  if (name.includes("hash")) return HASH;
  if (/pager|gitlab-signing|standard-signing/.test(name)) return SIGNING_KEY;
  return name.includes("url") ? "https://chat.example.com/hooks/0123456789" : "0123456789abcdef";
}

function issuesOf(loaded: Loaded): readonly string[] {
  return (loaded.kind === "loaded" ? loaded.warnings : loaded.faults).map(describeIssue);
}

describe("examples", () => {
  const configurations = readdirSync(EXAMPLES).filter((name) => name.endsWith(".toml"));

  test.each(configurations)("%s loads without a warning", (name) => {
    expect(issuesOf(load(readFileSync(join(EXAMPLES, name), "utf8")))).toEqual([]);
  });

  test("full.toml loads with automatic certificates", () => {
    const loaded = load(readFullExample("acme"));
    expect(issuesOf(loaded)).toEqual([]);
    expect(loaded).toMatchObject({ config: { server: { tls: null, acme: { httpPort: 80 } } } });
  });

  test("that a page shows are equal to the files", () => {
    const files = readdirSync(EXAMPLES, { recursive: true, encoding: "utf8" }).filter((name) =>
      /\.\w+$/.test(name),
    );
    const blocks = pages
      .flatMap(({ text }) => blocksOf(text))
      .filter(({ language }) => /^(nginx|ini|js|yaml)$/.test(language));
    const withoutHead = (text: string) => text.replace(/^(?:(?:#|\/\/).*\n)*\n*/, "");
    const texts = files.map((file) => withoutHead(readFileSync(join(EXAMPLES, file), "utf8")));
    const shown = blocks.filter(({ code }) => code.split("\n").length > 8);
    expect(shown.length).toBeGreaterThan(4);
    expect(shown.filter(({ code }) => !texts.includes(withoutHead(code))).map(({ code }) => code)).toEqual(
      [],
    );
  });

  test("that are systemd units pass systemd-analyze verify", () => {
    if (Bun.which("systemd-analyze") === null) return;
    const units = [
      "hooklatch.service",
      ...readdirSync(join(EXAMPLES, "recipes")).map((name) => `recipes/${name}`),
    ];
    const copies = units
      .filter((name) => /\.(service|path)$/.test(name))
      .map((name) => {
        const copy = join(directory, "units", name.replace(/^.*\//, ""));
        mkdirSync(join(directory, "units"), { recursive: true });
        // The programs need not be installed here.
        const text = readFileSync(join(EXAMPLES, name), "utf8").replaceAll(
          /^Exec(\w+)=\S+/gm,
          "Exec$1=/bin/true",
        );
        writeFileSync(copy, text);
        return copy;
      });
    expect(copies).toHaveLength(4);
    const { exitCode, stderr } = Bun.spawnSync(["systemd-analyze", "verify", "--man=no", ...copies]);
    const own = stderr
      .toString()
      .split("\n")
      .filter((line) => line.includes(directory) || /hooklatch|shop/.test(line));
    expect({ own, exitCode }).toEqual({ own: [], exitCode: 0 });
  });

  test("that are nginx configurations pass nginx -t", () => {
    if (Bun.which("nginx") === null) return;
    for (const name of ["nginx.conf", "recipes/php-nginx.conf"]) {
      const conf = join(directory, "test.conf");
      const include = join(EXAMPLES, name);
      const logs = `error_log stderr; pid ${directory}/nginx.pid;`;
      // The test may run without root.
      const site = readFileSync(include, "utf8").replaceAll(
        /listen (\S*:)?80;/g,
        (_, host = "") => `listen ${host}10080;`,
      );
      writeFileSync(join(directory, "site.conf"), site.replaceAll("include fastcgi_params;", ""));
      writeFileSync(conf, `${logs} events {} http { access_log off; include ${directory}/site.conf; }`);
      const { exitCode, stderr } = Bun.spawnSync(["nginx", "-t", "-c", conf]);
      expect({ name, exitCode, stderr: exitCode === 0 ? "" : stderr.toString() }).toEqual({
        name,
        exitCode: 0,
        stderr: "",
      });
    }
  });

  test("include a polkit rule that allows one user to restart one service", () => {
    type Rule = (action: object, subject: object) => string | undefined;
    const rules: Rule[] = [];
    const polkit = { addRule: (rule: Rule) => rules.push(rule), Result: { YES: "yes" } };
    new Function("polkit", readFileSync(join(EXAMPLES, "recipes/50-hooklatch-shop.service.rules"), "utf8"))(
      polkit,
    );
    const [rule] = rules;
    const ask = (unit: string, verb: string, user: string) => {
      const details: Readonly<Record<string, string>> = { unit, verb };
      const action = { id: "org.freedesktop.systemd1.manage-units", lookup: (name: string) => details[name] };
      return rule?.(action, { user });
    };
    expect(ask("shop.service", "restart", "hooklatch")).toBe("yes");
    expect(ask("shop.service", "reload", "hooklatch")).toBe("yes");
    expect(ask("shop.service", "stop", "hooklatch")).toBeUndefined();
    expect(ask("ssh.service", "restart", "hooklatch")).toBeUndefined();
    expect(ask("shop.service", "restart", "www-data")).toBeUndefined();
  });
});

const SOURCE = { name: "github", provider: "github", path: "/github-webhook" };
const TARGET = { name: "blog", repository: "octocat/blog", branch: "main", directory: "/srv/blog" };

/** A whole configuration around the part that a page shows. */
function complete(shown: TomlTable): TomlTable {
  const [key = ""] = Object.keys(shown);
  if (!Object.hasOwn(DocumentTable.properties, key)) {
    if (Object.hasOwn(TargetTable.properties, key)) return { target: [{ ...TARGET, ...shown }] };
    const owner = providers.find(({ options }) => Object.hasOwn(options.properties, key));
    return { source: [{ ...SOURCE, provider: owner?.name ?? "github", ...shown }] };
  }
  const lists = shown as { readonly source?: readonly TomlTable[]; readonly target?: readonly TomlTable[] };
  const { source = [SOURCE], target = shown.notify === undefined ? [] : [TARGET] } = lists;
  const known = source.map(({ name }) => name);
  const missing = target.flatMap((entry: TomlTable) => (entry.source ? [entry.source] : []));
  const added = missing
    .filter((name) => !known.includes(name))
    .map((name) => ({ name, provider: "generic", path: `/${name}` }));
  return { ...shown, source: [...source, ...added], target: [...target] };
}

function configurationsIn(text: string): readonly string[] {
  const blocks = blocksOf(text).filter(({ language }) => language === "toml");
  const written = Array.from(text.matchAll(/<<'TOML'\n([\s\S]*?)^TOML$/gm), ([, code = ""]) => code);
  return [...blocks.map(({ code }) => code), ...written];
}

test.each(
  pages.flatMap(({ path, text }) => (configurationsIn(text).length > 0 ? [[path, text] as const] : [])),
)("%s shows valid configurations", (_, text) => {
  for (const code of configurationsIn(text)) {
    expect({ code, issues: issuesOf(load(stringify(complete(parse(code))))) }).toEqual({ code, issues: [] });
  }
});
