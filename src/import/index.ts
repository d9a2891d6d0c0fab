import { basename } from "node:path";
import { readHook } from "./hook.ts";
import type { HooksFile } from "./read-file.ts";
import { fillSlots, findSecretProblem, type Slot } from "./secret-slots.ts";
import { TOKEN_PARAMETER } from "./source.ts";
import { type Translation, translateHook } from "./translate.ts";
import { type TomlValue, writeComment, writeTable } from "./write-toml.ts";

export { parseHooksFile } from "./read-file.ts";

/** How hooks are translated. */
export interface ImportOptions {
  /** The first part of the paths, as `webhook -urlprefix` names it. */
  readonly urlPrefix: string;
  /** Where commands without a working directory run. Absolute. */
  readonly directory: string;
  /** The directory of the secrets as the configuration names it; null to write them into the configuration. */
  readonly secretsDirectory: string | null;
  /** Creates a random token. */
  readonly createToken: () => string;
  /** Loads a configuration with these variables and returns its faults. */
  readonly validate: (configuration: string, env: Readonly<Record<string, string>>) => readonly string[];
}

/** What became of one hook. */
export interface ImportedHook {
  /** `ok` when it does the same, `warn` when something differs, `fail` when it was not translated. */
  readonly level: "ok" | "warn" | "fail";
  /** The id, as text of one line. */
  readonly label: string;
  /** For people, such as `source github at /hooks/github`. */
  readonly result: string;
  /** What differs, or why it was not translated. */
  readonly reasons: readonly string[];
}

/** A file with a secret, which must not exist yet. */
export interface SecretFile {
  /** Below the directory of the secrets. */
  readonly name: string;
  readonly text: string;
}

/** The translation of hooks files. */
export interface ImportResult {
  readonly configuration: string;
  readonly secretFiles: readonly SecretFile[];
  /** Whether secrets are in the text of the configuration. */
  readonly showsSecrets: boolean;
  readonly hooks: readonly ImportedHook[];
}

type Keys = { readonly [key: string]: TomlValue | undefined };

/** Translates the hooks of adnanh/webhook to the text of a configuration. */
export async function importHooks(
  files: readonly HooksFile[],
  options: ImportOptions,
): Promise<ImportResult> {
  const names = createNames(options.urlPrefix);
  const ids = new Set<string>();
  const hooks: ImportedHook[] = [];
  const tables: string[] = [];
  const secretFiles: SecretFile[] = [];
  let showsSecrets = false;
  for (const { hook: written, templates } of files.flatMap((file) =>
    file.hooks.map((hook) => ({ hook, templates: file.templates })),
  )) {
    const position = `number ${hooks.length + 1}`;
    const read = readHook(written);
    const reject = (id: string | null, reasons: readonly string[]) => {
      const label = id === null ? position : JSON.stringify(id);
      hooks.push({ level: "fail", label, result: "not translated", reasons });
      tables.push(
        writeComment(`Hook ${label} was not translated:\n${reasons.map((each) => `- ${each}`).join("\n")}`),
      );
    };
    if (read.kind === "invalid") {
      reject(read.id, [read.reason]);
      continue;
    }
    const { hook, unknownKeys } = read;
    if (ids.has(hook.id)) {
      reject(hook.id, ["another hook has the same id, and adnanh/webhook serves the first one"]);
      continue;
    }
    ids.add(hook.id);
    const { name, path, isChanged } = names.choose(hook.id);
    const translation = await translateHook(hook, { ...options, name, path, templates });
    const problems =
      translation.kind === "impossible" ? translation.reasons : findProblems(translation, options);
    if (translation.kind === "impossible" || problems.length > 0) {
      reject(hook.id, problems);
      continue;
    }
    const { texts, files: own } = placeSecrets(name, translation.slots, secretFiles, options);
    secretFiles.push(...own);
    showsSecrets ||=
      translation.showsSecret ||
      (options.secretsDirectory === null &&
        translation.slots.some(({ secret }) => secret.kind === "literal"));
    tables.push(
      [
        writeComment(`Hook ${JSON.stringify(hook.id)}`),
        writeTable("source", fill(translation.source, texts)),
        "\n",
        writeTable("target", fill(translation.target, texts)),
      ].join(""),
    );
    const reasons = [
      ...(translation.needsToken ? [describeToken(translation, path, own[0])] : []),
      ...(isChanged ? [`its path must be plain text: senders must now use ${path}`] : []),
      ...translation.warnings,
      ...unknownKeys.map((key) => `${JSON.stringify(key)} is unknown and left out`),
    ];
    hooks.push({
      level: reasons.length > 0 ? "warn" : "ok",
      label: JSON.stringify(hook.id),
      result: `${path}, provider ${translation.provider}`,
      reasons,
    });
  }
  return { configuration: [HEAD, ...tables].join("\n"), secretFiles, showsSecrets, hooks };
}

const HEAD = `# Translated from hooks of adnanh/webhook by \`hooklatch import\`. Check it with \`hooklatch check\`.
# Commands get a clean environment: list the variables of the server that they need in "pass_env".

# [server]
# host = "0.0.0.0"     # the default of adnanh/webhook; that of hooklatch is 127.0.0.1 without TLS
# port = 9000
`;

type Translated = Extract<Translation, { kind: "translated" }>;

/** Says what senders of a hook that proved nothing must do. */
function describeToken({ source }: Translated, path: string, file: SecretFile | undefined): string {
  const before =
    source.allow === undefined ? "every sender could run it" : "only its address proved a sender";
  const place = file === undefined ? '"query"' : `the file ${file.name}`;
  return `${before}; senders must now use ${path}?${TOKEN_PARAMETER}=… with the token in ${place}`;
}

/** Loads the tables of one hook as a configuration of their own. */
function findProblems({ source, target, slots }: Translated, options: ImportOptions): readonly string[] {
  const own = slots.flatMap((slot) => findSecretProblem(slot, options.secretsDirectory !== null) ?? []);
  if (own.length > 0) return own;
  const env = slots.map(({ variable, secret }) => [
    variable,
    secret.kind === "literal" ? secret.text : "x".repeat(32),
  ]);
  const configuration = writeTable("source", source) + writeTable("target", target);
  return options.validate(configuration, Object.fromEntries(env));
}

/** Where each secret is written, by its slot, and the files that are added to `existing`. */
function placeSecrets(
  name: string,
  slots: readonly Slot[],
  existing: readonly SecretFile[],
  { secretsDirectory: directory }: ImportOptions,
) {
  const texts = new Map<string, string>();
  const files: SecretFile[] = [];
  for (const { text: slot, secret } of slots) {
    if (secret.kind === "reference" || directory === null) {
      texts.set(slot, secret.text);
      continue;
    }
    const taken = new Set([...existing, ...files].map((file) => file.name.toLowerCase()));
    let file = `${name}.secret`;
    for (let number = 2; taken.has(file.toLowerCase()); number += 1) file = `${name}-${number}.secret`;
    files.push({ name: file, text: secret.text });
    texts.set(slot, `file:${directory}/${file}`);
  }
  return { texts, files };
}

function fill(table: Keys, texts: ReadonlyMap<string, string>): Keys {
  return Object.fromEntries(
    Object.entries(table).map(([key, value]) => [key, value === undefined ? value : fillSlots(value, texts)]),
  );
}

/** Creates the function that chooses names and paths, which are unique without regard to case. */
function createNames(urlPrefix: string) {
  const taken = new Set(["/healthz"]);
  const makeUnique = (text: string) => {
    for (let number = 1; ; number += 1) {
      const candidate = number === 1 ? text : `${text}-${number}`;
      if (taken.has(candidate.toLowerCase())) continue;
      taken.add(candidate.toLowerCase());
      return candidate;
    }
  };
  return {
    choose(id: string) {
      const wanted = `/${[urlPrefix, id].filter((part) => part !== "").join("/")}`;
      const plain = wanted
        .split("/")
        .map((part) => part.replaceAll(/[^A-Za-z0-9._~-]/g, "-").replace(/^\.{1,2}$/, "-"))
        .filter((part) => part !== "");
      const path = makeUnique(`/${plain.join("/")}`);
      const name = makeUnique(
        basename(id)
          .replaceAll(/[^A-Za-z0-9._-]/g, "-")
          .replace(/^[._-]+/, "")
          .slice(0, 56) || "hook",
      );
      return { name, path, isChanged: path !== wanted };
    },
  };
}
