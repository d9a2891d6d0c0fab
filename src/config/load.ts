import { dirname, resolve } from "node:path";
import type { NotificationSettings } from "../domain/notification.ts";
import type { Provider, SourceHandler } from "../domain/provider.ts";
import type { Source } from "../domain/source.ts";
import type { Target } from "../domain/target.ts";
import { Secret } from "../lib/secret.ts";
import { checkAcmeBeside } from "./acme.ts";
import { type Admin, resolveAdmin } from "./admin.ts";
import { writeDefaultSources } from "./default-sources.ts";
import { readNotify } from "./notify.ts";
import { type Environment, type ReadContext, readVariable } from "./read/context.ts";
import { type ConfigIssue, child, IssueList } from "./read/issues.ts";
import { LONGEST_AGE, limitDuration } from "./read/limits.ts";
import { isTable, readTable, type Section } from "./read/table.ts";
import { findDocument, parseDocument, SYSTEM_FILE } from "./read/toml.ts";
import { AdminTable, DocumentTable, ServerTable, StoreTable } from "./schema.ts";
import type { GeneratedSecret } from "./secrets.ts";
import { resolveServer, type Server } from "./server.ts";
import { readSources } from "./source.ts";
import { readTargets } from "./target.ts";
import { checkTlsFiles } from "./tls-files.ts";

export type { Environment } from "./read/context.ts";
export { type ConfigIssue, describeIssue } from "./read/issues.ts";

/** What a configuration may name; each list comes from the room that has it. */
export interface Lists {
  readonly providers: readonly Provider[];
  /** The names of the layouts. */
  readonly layouts: readonly string[];
}

/** How a configuration is read. */
export interface LoadOptions {
  /** The last place that is looked at. */
  readonly systemFile?: string;
  /** Whether it is read to serve by it: then what only the service need be able to read has to be there. */
  readonly toServe?: boolean;
  /** A file that is not written yet, in place of any: its absolute path, how findings name it, and its text. */
  readonly draft?: { readonly file: string; readonly label: string; readonly text: string };
}

/** Everything that is configured, checked and resolved; its secrets print only where they come from. */
export interface Config {
  /** The absolute path of the file it was read from; null when there was none. */
  readonly file: string | null;
  /** Absolute. */
  readonly dataDir: string;
  readonly server: Server;
  readonly admin: Admin;
  readonly store: Retention;
  readonly sources: readonly Source[];
  readonly targets: readonly Target[];
  /** Who is told of deployments. */
  readonly notify: readonly NotificationSettings[];
  /** Secrets that nothing sets: kept in these files, and made where they are not loaded. */
  readonly generated: readonly GeneratedSecret[];
}

/** A secret, and what it opens. */
export interface OwnedSecret {
  /** In words for people, such as `source webhook`. */
  readonly owner: string;
  readonly secret: Secret;
}

/** How long what is kept is kept, in milliseconds. */
interface Retention {
  readonly keepDeliveries: number;
  readonly keepDeployments: number;
}

export type Loaded =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly ConfigIssue[] }
  | { readonly ok: false; readonly faults: readonly ConfigIssue[]; readonly file: string | null };

const DAY = 86_400_000;

/**
 * Reads the configuration from its file and the environment, and the secrets it names. Tells every fault at
 * once. Writes nothing: what is in `generated` and not there yet is made by `generateSecrets`.
 *
 * @param explicitFile what `--config` names.
 */
export function loadConfig(
  explicitFile: string | undefined,
  surroundings: Environment,
  lists: Lists,
  { systemFile = SYSTEM_FILE, toServe = false, draft }: LoadOptions = {},
): Loaded {
  const document =
    draft === undefined
      ? findDocument(explicitFile, surroundings, systemFile)
      : parseDocument(draft.text, draft.file, draft.label);
  if (!document.ok) return { ok: false, faults: [document.fault], file: document.file };
  const report = new IssueList();
  const directory = document.file === null ? surroundings.cwd : dirname(document.file);
  const ground: ReadContext = { env: surroundings.env, cwd: surroundings.cwd, directory, report };
  const config = resolveConfig(document, lists, toServe, ground);
  return report.faults.length > 0
    ? { ok: false, faults: report.faults, file: document.file }
    : { ok: true, config, warnings: report.warnings };
}

function resolveConfig(
  { file, label, table }: { file: string | null; label: string; table: unknown },
  { providers, layouts }: Lists,
  toServe: boolean,
  ground: ReadContext,
): Config {
  const { report } = ground;
  const root = readTable(DocumentTable, table, { file: label, path: "" }, report);
  const at = (key: string) => child(root.place, key);
  const written = (key: "source" | "target" | "notify") =>
    (root.values[key] ?? []).map((entry, index) => ({ table: entry, place: child(at(key), index) }));

  const dataDir = findDataDir(root, ground);
  const serverSection = readTable(ServerTable, root.values.server, at("server"), report);
  const server = resolveServer(serverSection, ground);
  if (toServe) checkTlsFiles(server, serverSection, ground);
  const adminSection = readTable(AdminTable, root.values.admin, at("admin"), report);
  const { admin, generated } = resolveAdmin(adminSection, server, dataDir, ground);
  checkAcmeBeside(admin, server, child(at("server"), "acme"), ground);
  const store = resolveStore(readTable(StoreTable, root.values.store, at("store"), report), ground);
  const configured = written("source");
  // What stands where the sources should, but is no list of them, is a fault and nothing to put defaults for.
  const isSilent = configured.length === 0 && (root.values.source !== undefined || !root.has("source"));
  const sources = readSources(isSilent ? writeDefaultSources(providers, ground) : configured, {
    providers: providers.map(noteSecrets),
    dataDir,
    ground,
  });
  const targets = readTargets(written("target"), { sources, layouts, dataDir, ground });
  const notify = readNotify(written("notify"), namesIn(written("target")), ground);

  const used = new Set(targets.map((target) => target.source));
  return Object.freeze({
    file,
    dataDir,
    server,
    admin,
    store,
    sources: Object.freeze(
      sources
        .map((source) => source.complete(source.name === undefined || !used.has(source.name)))
        .filter((source) => source !== undefined),
    ),
    targets: Object.freeze(targets),
    notify: Object.freeze(notify),
    generated: Object.freeze([...generated, ...sources.flatMap((source) => source.generated)]),
  });
}

/** What senders prove themselves with, and whoever steers the server: all of it, as far as it is loaded. */
export function listSecrets({ admin, sources }: Config): readonly OwnedSecret[] {
  const ofSources = sources.flatMap(({ name, handler }) =>
    (openedWith.get(handler) ?? []).map((secret) => ({ owner: `source ${name}`, secret })),
  );
  return [{ owner: "the admin listener", secret: admin.token }, ...ofSources].filter(
    ({ secret }) => secret.loaded,
  );
}

/** A dialect tells nobody which secrets it has. */
const openedWith = new WeakMap<SourceHandler, readonly Secret[]>();

function noteSecrets(provider: Provider): Provider {
  return {
    ...provider,
    createHandler: (options) => {
      const dialect = provider.createHandler(options);
      openedWith.set(dialect, secretsIn(options));
      return dialect;
    },
  };
}

/** Every secret in a setting, however deep. */
function secretsIn(value: unknown): readonly Secret[] {
  if (value instanceof Secret) return [value];
  if (Array.isArray(value)) return value.flatMap(secretsIn);
  return isTable(value) ? Object.values(value).flatMap(secretsIn) : [];
}

/** The names as they are written, also of tables with faults. */
function namesIn(written: readonly { readonly table: unknown }[]): readonly string[] {
  return written
    .map(({ table }) => (isTable(table) ? table.name : undefined))
    .filter((name) => typeof name === "string");
}

/**
 * Where everything is kept, as an absolute path: as the file says, else $HOOKLATCH_DATA_DIR, else systemd's
 * $STATE_DIRECTORY, else in the working directory.
 */
export function findDataDir({ has, values }: Section<typeof DocumentTable>, ground: ReadContext): string {
  if (has("data_dir")) return resolve(ground.directory, values.data_dir ?? "");
  const named = readVariable("HOOKLATCH_DATA_DIR", ground);
  // systemd separates several state directories with colons (systemd.exec(5)).
  const ofSystemd =
    named ??
    readVariable("STATE_DIRECTORY", ground)
      ?.split(":")
      .find((path) => path !== "");
  return resolve(ground.cwd, ofSystemd ?? "hooklatch-data");
}

function resolveStore({ values, place }: Section<typeof StoreTable>, ground: ReadContext): Retention {
  limitDuration(values.keep_deliveries, LONGEST_AGE, child(place, "keep_deliveries"), ground);
  limitDuration(values.keep_deployments, LONGEST_AGE, child(place, "keep_deployments"), ground);
  return Object.freeze({
    keepDeliveries: values.keep_deliveries ?? 30 * DAY,
    keepDeployments: values.keep_deployments ?? 180 * DAY,
  });
}
