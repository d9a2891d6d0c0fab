import { dirname } from "node:path";
import type { NotificationSettings } from "../domain/notification.ts";
import type { Provider } from "../domain/provider.ts";
import type { Source } from "../domain/source.ts";
import type { Target } from "../domain/target.ts";
import type { Secret } from "../lib/secret.ts";
import { type Admin, resolveAdmin } from "./admin.ts";
import { resolveDataDirectory } from "./data-directory.ts";
import { readNotify } from "./notify.ts";
import type { Environment, ReadContext } from "./read/context.ts";
import { type ConfigIssue, child, IssueList, isTable, type Place } from "./read/issues.ts";
import { locateIssues } from "./read/lines.ts";
import { type ConfiguredListener, checkPorts } from "./read/network.ts";
import { readTable, type WrittenTable } from "./read/table.ts";
import { type ConfigDocument, findDocument, parseDocument, SYSTEM_FILE } from "./read/toml.ts";
import { AdminTable, DocumentTable } from "./schema.ts";
import type { GeneratedSecret } from "./secrets.ts";
import { resolveServer, type Server } from "./server.ts";
import { readSources, writeDefaultSources } from "./source.ts";
import { refuseGenerated, resolveStore, type StoreConfig } from "./store.ts";
import { StoreTable } from "./store-schema.ts";
import { readTargets } from "./target.ts";
import { checkForWindows } from "./windows.ts";

export type { Environment } from "./read/context.ts";
export { type ConfigIssue, describeIssue } from "./read/issues.ts";

/** Providers and layouts that a configuration can name. */
export interface Lists {
  readonly providers: readonly Provider[];
  /** The names of the layouts. */
  readonly layouts: readonly string[];
}

/** How a configuration is read. */
export interface LoadOptions {
  /** The last place where the file is searched. */
  readonly systemFile?: string;
  /** The file that an earlier search found. No other place is searched, and its owner is checked again. */
  readonly foundBefore?: string | undefined;
  /** Whether the caller will serve with it: only then must the certificate files be readable. */
  readonly toServe?: boolean;
  /** A file that is not written yet and replaces the search: its absolute path, its name in issues, and its text. */
  readonly draft?: { readonly file: string; readonly label: string; readonly text: string };
}

/** The configuration, checked and resolved. Its secrets print only their origin. */
export interface Config {
  /** The absolute path of the file; null when there was none. */
  readonly file: string | null;
  /** Whether the file was found by search: neither `--config` nor `$HOOKLATCH_CONFIG` names it. */
  readonly isFound: boolean;
  /** Absolute. */
  readonly dataDir: string;
  readonly server: Server;
  readonly admin: Admin;
  readonly store: StoreConfig;
  readonly sources: readonly Source[];
  /** Whether the configuration names none, so that the default ones are used. */
  readonly hasDefaultSources: boolean;
  readonly targets: readonly Target[];
  readonly notify: readonly NotificationSettings[];
  /** The secrets of the admin listener and of the sources' senders. Generated ones may not be loaded yet. */
  readonly secrets: readonly OwnedSecret[];
  /** The secrets that nothing sets. */
  readonly generated: readonly GeneratedSecret[];
}

/** A secret and what it gives access to. */
export interface OwnedSecret {
  /** For people, such as `source webhook`. */
  readonly owner: string;
  /** The key that it belongs to. */
  readonly option: string;
  readonly secret: Secret;
}

/** A configuration, or everything that is wrong with it. */
export type Loaded =
  | { readonly kind: "loaded"; readonly config: Config; readonly warnings: readonly ConfigIssue[] }
  | { readonly kind: "invalid"; readonly faults: readonly ConfigIssue[]; readonly file: string | null };

/**
 * Reads the configuration from its file and the environment, and loads the secrets it refers to. Reports all faults at
 * once. Writes nothing: `generateSecrets` creates the secrets in `generated`.
 *
 * @param explicitFile the file that `--config` names.
 */
export function loadConfig(
  explicitFile: string | undefined,
  environment: Environment,
  lists: Lists,
  { systemFile = SYSTEM_FILE, foundBefore, toServe = false, draft }: LoadOptions = {},
): Loaded {
  const document =
    draft === undefined
      ? findDocument({ named: explicitFile, systemFile, foundBefore }, environment)
      : parseDocument(draft.text, draft.file, draft.label);
  const { file } = document;
  if (document.kind === "invalid") return { kind: "invalid", faults: [document.fault], file };
  const { env, cwd, platform = process.platform } = environment;
  const issues = new IssueList();
  const directory = file === null ? cwd : dirname(file);
  const config = resolveConfig(document, { env, cwd, platform, directory, issues, toServe, ...lists });
  // A draft has no lines yet that a user could look at.
  const locate = (found: readonly ConfigIssue[]) =>
    draft === undefined ? locateIssues(found, document) : found;
  return issues.faults.length > 0
    ? { kind: "invalid", faults: locate(issues.faults), file }
    : { kind: "loaded", config, warnings: locate(issues.warnings) };
}

function resolveConfig(
  { file, label, table, isFound }: ConfigDocument,
  context: ReadContext & Lists & { readonly toServe: boolean },
): Config {
  const { issues, providers } = context;
  const root = readTable(DocumentTable, table, { file: label, path: "" }, issues);
  const at = (key: string) => child(root.place, key);
  const written = (key: "source" | "target" | "notify"): readonly WrittenTable[] =>
    (root.values[key] ?? []).map((entry, index) => ({ table: entry, place: child(at(key), index) }));

  const dataDir = resolveDataDirectory(root, context);
  const server = resolveServer(root.values.server, at("server"), context);
  const adminTable = readTable(AdminTable, root.values.admin, at("admin"), issues);
  const { admin, generated } = resolveAdmin(adminTable, dataDir, context);
  checkPorts(describeListeners(server, admin, root.place), issues);
  const storeTable = readTable(StoreTable, root.values.store, at("store"), issues);
  const store = resolveStore(storeTable, context);
  const configured = written("source");
  // A `source` that is not a list is a fault, and no reason for default sources.
  const hasNone = configured.length === 0 && (root.values.source !== undefined || !root.has("source"));
  const sources = readSources(hasNone ? writeDefaultSources(providers, context) : configured, {
    ...context,
    dataDir,
  });
  const targets = readTargets(written("target"), {
    ...context,
    dataDir,
    sources,
    isShared: storeTable.has("url"),
  });
  if (context.platform === "win32") {
    const hasTargets = written("target").length > 0;
    checkForWindows({ root: root.place, hasTargets, host: server.host, dataDir }, issues);
  }
  const notify = readNotify(written("notify"), namesIn(written("target")), context);
  const used = new Set(targets.map((target) => target.source));
  const complete = sources.flatMap(({ source }) =>
    // A source that no target uses prints its payloads.
    source ? [Object.freeze({ ...source, print: source.print ?? !used.has(source.name) })] : [],
  );

  const allGenerated = [...generated, ...sources.flatMap((source) => source.generated)];
  if (storeTable.has("url")) refuseGenerated(allGenerated, storeTable, context);
  return Object.freeze({
    file,
    isFound,
    dataDir,
    server,
    admin,
    store,
    sources: Object.freeze(complete),
    hasDefaultSources: hasNone,
    targets: Object.freeze(targets),
    notify: Object.freeze(notify),
    secrets: Object.freeze([
      { owner: "the admin listener", option: "token", secret: admin.token },
      ...sources.flatMap(({ name, secrets }) =>
        secrets.map((secret) => ({ owner: `source ${name}`, ...secret })),
      ),
    ]),
    generated: Object.freeze(allGenerated),
  });
}

/** The names as written, also of tables with faults. */
function namesIn(written: readonly WrittenTable[]): readonly string[] {
  return written
    .map(({ table }) => (isTable(table) ? table.name : undefined))
    .filter((name) => typeof name === "string");
}

/** The listeners that need a free port. An admin listener without a configured port is left out instead. */
function describeListeners(server: Server, admin: Admin, root: Place): readonly ConfiguredListener[] {
  const { host, port, acme } = server;
  const place = child(root, "server");
  return [
    { name: "the public listener", host, port, place: child(place, "port") },
    ...(admin.isConfigured
      ? [{ name: "the admin listener", ...admin, place: child(child(root, "admin"), "port") }]
      : []),
    ...(acme === null
      ? []
      : [{ name: "ACME", host, port: acme.httpPort, place: child(child(place, "acme"), "http_port") }]),
  ];
}
