import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { parse, TomlError } from "smol-toml";
import { systemErrorCode } from "../../lib/errors.ts";
import type { Environment } from "./context.ts";
import { type ConfigIssue, type IssueCode, variable } from "./issues.ts";

/** A configuration file: decoded, not yet checked. */
export interface ConfigDocument {
  readonly kind: "document";
  /** Absolute; null when there is no file, which is fine. */
  readonly file: string | null;
  /** The name of the file in issues. */
  readonly label: string;
  readonly table: Readonly<Record<string, unknown>>;
}

/** A configuration file that cannot be read or is not TOML. */
export interface InvalidDocument {
  readonly kind: "invalid";
  readonly file: string | null;
  readonly fault: ConfigIssue;
}

/** The last place where the file is searched. */
export const SYSTEM_FILE = "/etc/hooklatch/hooklatch.toml";

/**
 * Finds and parses the configuration file: `named`, else `$HOOKLATCH_CONFIG`, else `./hooklatch.toml`, else
 * `systemFile`. A file that is named must exist.
 */
export function findDocument(
  named: string | undefined,
  { env, cwd }: Environment,
  systemFile: string,
): ConfigDocument | InvalidDocument {
  const chosen = named ?? env.HOOKLATCH_CONFIG;
  if (named === undefined && chosen === "") {
    const message = "is set but empty: give it a value or unset it";
    return { kind: "invalid", file: null, fault: { ...variable("HOOKLATCH_CONFIG"), message } };
  }
  for (const label of chosen === undefined ? ["hooklatch.toml", systemFile] : [chosen]) {
    const file = resolve(cwd, label);
    const found = readText(file);
    if (found.kind === "text") return parseDocument(found.text, file, label);
    if (chosen === undefined && found.missing) continue;
    const origin = named === undefined && chosen !== undefined ? " ($HOOKLATCH_CONFIG names it)" : "";
    const fault = { file: label, path: "", message: `${found.problem}${origin}`, code: found.code };
    return { kind: "invalid", file, fault };
  }
  return { kind: "document", file: null, label: "defaults", table: {} };
}

/** Parses the text of a configuration file; `label` names it in issues. */
export function parseDocument(text: string, file: string, label: string): ConfigDocument | InvalidDocument {
  try {
    // Keys such as `__proto__` have no use and are dangerous when a table is copied.
    return { kind: "document", file, label, table: parse(text, { unsafeKeyBehaviour: "throw" }) };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return { kind: "invalid", file, fault: { file: label, path: "", message: describeSyntaxError(error) } };
  }
}

/** Only the first line of the parser's message: below it the parser quotes the file, which may hold a secret. */
function describeSyntaxError({ message, line, column }: TomlError): string {
  const [words = ""] = message.replace(/^Invalid TOML document: /, "").split("\n");
  return `line ${line}, column ${column}: invalid TOML: ${words}`;
}

/** The text of a file, or why it cannot be read. */
export type FileText =
  | { readonly kind: "text"; readonly text: string }
  /** `problem` completes the name of the file, such as `does not exist`. */
  | {
      readonly kind: "unreadable";
      readonly missing: boolean;
      readonly problem: string;
      readonly code: IssueCode | undefined;
    };

const PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  // A parent in the path is a file.
  ENOTDIR: "does not exist",
  EACCES: "cannot be read: permission denied",
  EISDIR: "is a directory",
};

/** Reads a file as UTF-8. Only regular files are read: a pipe or device could block the start forever. */
export function readText(file: string): FileText {
  try {
    if (!statSync(file).isFile()) return unreadable("is not a regular file");
    return { kind: "text", text: new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file)) };
  } catch (error) {
    return unreadable(error instanceof TypeError ? "is not UTF-8 text" : describeReadError(error));
  }
}

function unreadable(problem: string): FileText {
  const code = problem === PROBLEMS.EACCES ? "permission_denied" : undefined;
  return { kind: "unreadable", missing: problem === PROBLEMS.ENOENT, problem, code };
}

/** Why a file could not be read, in words that complete its name, such as `does not exist`. */
export function describeReadError(error: unknown): string {
  const code = systemErrorCode(error) ?? "unknown error";
  return PROBLEMS[code] ?? `cannot be read: ${code}`;
}
