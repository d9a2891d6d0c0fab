import { lstatSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { AppError } from "../lib/errors.ts";
import { type Environment, type ReadContext, readVariable } from "./read/context.ts";
import { child, describeIssue, IssueList, variable } from "./read/issues.ts";
import { resolvePath } from "./read/paths.ts";
import { type CheckedTable, readTable } from "./read/table.ts";
import {
  type ConfigDocument,
  findDocument,
  findTrustProblem,
  type InvalidDocument,
  SYSTEM_FILE,
} from "./read/toml.ts";
import { DocumentTable } from "./schema.ts";

type Document = CheckedTable<typeof DocumentTable>;

/**
 * The data directory, absolute: `data_dir`, else $HOOKLATCH_DATA_DIR, else systemd's $STATE_DIRECTORY, else
 * `hooklatch-data` in the working directory.
 */
export function resolveDataDirectory({ has, place, values }: Document, context: ReadContext): string {
  if (has("data_dir")) {
    return resolvePath(values.data_dir ?? "", context.directory, child(place, "data_dir"), context);
  }
  const named = readVariable("HOOKLATCH_DATA_DIR", context);
  // systemd separates several state directories with colons (systemd.exec(5)).
  const ofSystemd = () =>
    readVariable("STATE_DIRECTORY", context)
      ?.split(":")
      .find((path) => path !== "");
  const [name, path] =
    named === undefined
      ? ["STATE_DIRECTORY", ofSystemd() ?? "hooklatch-data"]
      : ["HOOKLATCH_DATA_DIR", named];
  const resolved = resolvePath(path, context.cwd, variable(name), context);
  if (named === undefined && ofSystemd() === undefined) checkTrust(resolved, context);
  return resolved;
}

/**
 * Reports a data directory in the working directory that another user controls: that user knows the secrets in it. One
 * that a configuration or a variable names is the choice of this user.
 */
function checkTrust(directory: string, { issues }: ReadContext): void {
  const stats = lstatSync(directory, { throwIfNoEntry: false });
  if (stats === undefined) return;
  const user = process.geteuid?.() ?? null;
  // The mode of a symbolic link means nothing.
  const isLink = stats.isSymbolicLink();
  const target = isLink ? statSync(directory, { throwIfNoEntry: false }) : stats;
  const problem =
    (target && findTrustProblem(target, user)) ??
    findTrustProblem({ ...stats, mode: isLink ? 0 : stats.mode }, user);
  if (problem === null || problem === undefined) return;
  const remedy = "if you trust it, set data_dir in a configuration or $HOOKLATCH_DATA_DIR";
  issues.fault({ file: directory, path: "" }, `is not used because ${problem}; ${remedy}`);
}

/** Some keys of a configuration's top level. */
interface DocumentKeys {
  readonly kind: "read";
  readonly root: Document;
  readonly context: ReadContext;
  readonly document: ConfigDocument;
}

/** Reads some keys of a configuration's top level. Faults in other keys are ignored. */
export function readDocumentKeys(
  keys: readonly string[],
  explicitFile: string | undefined,
  environment: Environment,
  systemFile: string,
): InvalidDocument | DocumentKeys {
  const document = findDocument({ named: explicitFile, systemFile }, environment);
  if (document.kind === "invalid") return document;
  const { file, label, table } = document;
  const issues = new IssueList();
  const directory = file === null ? environment.cwd : dirname(file);
  const written = Object.fromEntries(Object.entries(table).filter(([key]) => keys.includes(key)));
  const root = readTable(DocumentTable, written, { file: label, path: "" }, issues);
  return { kind: "read", document, root, context: { ...environment, directory, issues } };
}

/**
 * The directory of the SQLite database of a configuration. Throws an {@link AppError} `configuration` when it cannot be
 * read, or when the database is PostgreSQL: a SQLite file of earlier may still be in the directory.
 */
export function loadSqliteDirectory(explicitFile: string | undefined, environment: Environment): string {
  const read = readDocumentKeys(["data_dir"], explicitFile, environment, SYSTEM_FILE);
  if (read.kind === "invalid") throw new AppError("configuration", describeIssue(read.fault));
  const { store } = read.document.table;
  if (typeof store === "object" && store !== null && "url" in store) {
    throw new AppError(
      "configuration",
      "[store] url is set, and backup copies SQLite only: back up the PostgreSQL database with pg_dump, see docs/fleet.md",
    );
  }
  const directory = resolveDataDirectory(read.root, read.context);
  const faults = read.context.issues.faults.map(describeIssue);
  if (faults.length > 0) throw new AppError("configuration", faults.join("\n"));
  return directory;
}

/** The data directory of a configuration that may have other faults; null when its file cannot be read. */
export function findDataDirectory(
  explicitFile: string | undefined,
  environment: Environment,
  systemFile: string = SYSTEM_FILE,
): string | null {
  const read = readDocumentKeys(["data_dir"], explicitFile, environment, systemFile);
  return read.kind === "invalid" ? null : resolveDataDirectory(read.root, read.context);
}
