import { dirname, resolve } from "node:path";
import { type Environment, type ReadContext, readVariable } from "./read/context.ts";
import { IssueList } from "./read/issues.ts";
import { type CheckedTable, readTable } from "./read/table.ts";
import { findDocument, SYSTEM_FILE } from "./read/toml.ts";
import { DocumentTable } from "./schema.ts";

/**
 * The data directory, absolute: `data_dir`, else $HOOKLATCH_DATA_DIR, else systemd's $STATE_DIRECTORY, else
 * `hooklatch-data` in the working directory.
 */
export function resolveDataDirectory(
  { has, values }: CheckedTable<typeof DocumentTable>,
  context: ReadContext,
): string {
  if (has("data_dir")) return resolve(context.directory, values.data_dir ?? "");
  const named = readVariable("HOOKLATCH_DATA_DIR", context);
  // systemd separates several state directories with colons (systemd.exec(5)).
  const ofSystemd = () =>
    readVariable("STATE_DIRECTORY", context)
      ?.split(":")
      .find((path) => path !== "");
  return resolve(context.cwd, named ?? ofSystemd() ?? "hooklatch-data");
}

/** The data directory of a configuration that may have other faults; null when its file cannot be read. */
export function findDataDirectory(
  explicitFile: string | undefined,
  environment: Environment,
  systemFile: string = SYSTEM_FILE,
): string | null {
  const document = findDocument(explicitFile, environment, systemFile);
  if (document.kind === "invalid") return null;
  const { file, label, table } = document;
  const directory = file === null ? environment.cwd : dirname(file);
  const context: ReadContext = { ...environment, directory, issues: new IssueList() };
  const written = "data_dir" in table ? { data_dir: table.data_dir } : {};
  return resolveDataDirectory(
    readTable(DocumentTable, written, { file: label, path: "" }, context.issues),
    context,
  );
}
