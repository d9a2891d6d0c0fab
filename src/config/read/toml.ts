import { readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parse, TomlError } from "smol-toml";
import { systemErrorCode } from "../../lib/errors.ts";
import { findDataDir } from "../load.ts";
import { DocumentTable } from "../schema.ts";
import type { Environment, ReadContext } from "./context.ts";
import { type ConfigIssue, IssueList, variable } from "./issues.ts";
import { readTable } from "./table.ts";

/** The configuration file as it was found: decoded, not yet checked. */
export type Document =
  | {
      readonly ok: true;
      /** Absolute; null when there is none, which is fine. */
      readonly file: string | null;
      /** How findings name it. */
      readonly label: string;
      readonly table: Readonly<Record<string, unknown>>;
    }
  | { readonly ok: false; readonly file: string | null; readonly fault: ConfigIssue };

/** The last place that is looked at. */
export const SYSTEM_FILE = "/etc/hooklatch/hooklatch.toml";

/**
 * Finds and parses the configuration file: the one that is named, else `$HOOKLATCH_CONFIG`, else
 * `./hooklatch.toml`, else `systemFile`. One that is named has to be there.
 */
export function findDocument(
  named: string | undefined,
  { env, cwd }: Environment,
  systemFile: string,
): Document {
  const chosen = named ?? env.HOOKLATCH_CONFIG;
  if (named === undefined && chosen === "") {
    const fault = {
      ...variable("HOOKLATCH_CONFIG"),
      message: "is set but empty: give it a value or unset it",
    };
    return { ok: false, file: null, fault };
  }
  for (const label of chosen === undefined ? ["hooklatch.toml", systemFile] : [chosen]) {
    const file = resolve(cwd, label);
    const found = readText(file);
    if (found.ok) return parseDocument(found.text, file, label);
    if (chosen === undefined && found.missing) continue;
    const namer = named === undefined && chosen !== undefined ? ", but $HOOKLATCH_CONFIG names it" : "";
    return { ok: false, file, fault: { file: label, path: "", message: `${found.problem}${namer}` } };
  }
  return { ok: true, file: null, label: "defaults", table: {} };
}

/** Parses a configuration file's text; `label` is how findings name the file. */
export function parseDocument(text: string, file: string, label: string): Document {
  try {
    // Keys such as `__proto__` are of no use here, and would be a trap for whoever copies the table.
    return { ok: true, file, label, table: parse(text, { unsafeKeyBehaviour: "throw" }) };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return { ok: false, file, fault: { file: label, path: "", message: describeSyntaxError(error) } };
  }
}

/** Only the parser's own words: below them it repeats the lines around, which may hold a secret. */
function describeSyntaxError({ message, line, column }: TomlError): string {
  const [words = ""] = message.replace(/^Invalid TOML document: /, "").split("\n");
  return `line ${line}, column ${column}: not TOML: ${words}`;
}

/** The text of a file, or in a few words why there is none. */
export type FileText =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly missing: boolean; readonly problem: string };

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  // A file where a directory should be on the way: the path names nothing either.
  ENOTDIR: "does not exist",
  EACCES: "cannot be read: permission denied",
  EISDIR: "is a directory",
};

/** Reads a whole file as UTF-8. Only regular files: a pipe or a device could keep the start waiting for ever. */
export function readText(file: string): FileText {
  try {
    if (!statSync(file).isFile()) return { ok: false, missing: false, problem: "is not a regular file" };
    return { ok: true, text: new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file)) };
  } catch (error) {
    if (error instanceof TypeError) return { ok: false, missing: false, problem: "is not UTF-8 text" };
    const problem = whyUnreadable(error);
    return { ok: false, missing: problem === REASONS.ENOENT, problem };
  }
}

/** What completes the name of a file that could not be read, such as `does not exist`. */
export function whyUnreadable(error: unknown): string {
  const code = systemErrorCode(error) ?? "unknown error";
  return REASONS[code] ?? `cannot be read: ${code}`;
}

/**
 * Where a server with this configuration keeps everything, whatever else is wrong with it; null where the file cannot be
 * read.
 */
export function findDataDirectory(
  explicitFile: string | undefined,
  surroundings: Environment,
  systemFile: string = SYSTEM_FILE,
): string | null {
  const document = findDocument(explicitFile, surroundings, systemFile);
  if (!document.ok) return null;
  const { file, label, table } = document;
  const directory = file === null ? surroundings.cwd : dirname(file);
  const ground: ReadContext = { ...surroundings, directory, report: new IssueList() };
  const written = "data_dir" in table ? { data_dir: table.data_dir } : {};
  return findDataDir(readTable(DocumentTable, written, { file: label, path: "" }, ground.report), ground);
}
