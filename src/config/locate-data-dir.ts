import { dirname } from "node:path";
import { findDocument, SYSTEM_FILE } from "./document.ts";
import { Report } from "./finding.ts";
import type { Ground, Surroundings } from "./ground.ts";
import { findDataDir } from "./load.ts";
import { DocumentTable } from "./schema.ts";
import { readTable } from "./section.ts";

/**
 * Where a server with this configuration keeps everything, whatever else is wrong with it; null where the file cannot be
 * read.
 */
export function locateDataDir(
  explicitFile: string | undefined,
  surroundings: Surroundings,
  systemFile: string = SYSTEM_FILE,
): string | null {
  const document = findDocument(explicitFile, surroundings, systemFile);
  if (!document.ok) return null;
  const { file, label, table } = document;
  const directory = file === null ? surroundings.cwd : dirname(file);
  const ground: Ground = { ...surroundings, directory, report: new Report() };
  const written = "data_dir" in table ? { data_dir: table.data_dir } : {};
  return findDataDir(readTable(DocumentTable, written, { file: label, path: "" }, ground.report), ground);
}
