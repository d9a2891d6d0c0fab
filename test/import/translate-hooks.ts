import { parse } from "smol-toml";
import { loadConfig } from "../../src/config/load.ts";
import { layouts } from "../../src/deploy/layouts/index.ts";
import { type ImportedHook, importHooks, parseHooksFile } from "../../src/import/index.ts";
import { providers } from "../../src/providers/index.ts";

/** The token of hooks that every sender could run. */
export const NEW_TOKEN = "0".repeat(64);

type Table = Readonly<Record<string, unknown>>;

/** The translation of a hooks file. */
export interface TranslatedHooks {
  readonly text: string;
  readonly sources: readonly Table[];
  readonly targets: readonly Table[];
  readonly hooks: readonly ImportedHook[];
  readonly secretFiles: readonly { readonly name: string; readonly text: string }[];
}

/** The faults of a configuration. */
export function faultsOf(text: string, env: Readonly<Record<string, string>> = {}): readonly string[] {
  const loaded = loadConfig(
    undefined,
    { env, cwd: "/srv" },
    { providers, layouts: Object.keys(layouts) },
    { draft: { file: "/srv/hooklatch.toml", label: "hooklatch.toml", text } },
  );
  return loaded.kind === "loaded" ? [] : loaded.faults.map(({ path, message }) => `${path}: ${message}`);
}

/** Translates the text of a hooks file, or a list of hooks. */
export async function translateHooks(
  hooks: string | readonly unknown[],
  { urlPrefix = "hooks", isInFiles = false } = {},
): Promise<TranslatedHooks> {
  const file = await parseHooksFile(typeof hooks === "string" ? hooks : JSON.stringify(hooks), "hooks");
  const result = await importHooks([file], {
    urlPrefix,
    directory: "/srv/hooks",
    secretsDirectory: isInFiles ? "secrets" : null,
    createToken: () => NEW_TOKEN,
    validate: faultsOf,
  });
  const { source = [], target = [] } = parse(result.configuration) as {
    readonly source?: readonly Table[];
    readonly target?: readonly Table[];
  };
  return {
    text: result.configuration,
    sources: source,
    targets: target,
    hooks: result.hooks,
    secretFiles: result.secretFiles,
  };
}

/** A hook with these keys besides a command. */
export function hook(keys: Table = {}): Table {
  return { id: "app", "execute-command": "/bin/run", "command-working-directory": "/srv/app", ...keys };
}

/** A rule that compares a value with a text. */
export function match(value: string, name: string, source = "payload") {
  return { match: { type: "value", value, parameter: { source, name } } };
}
