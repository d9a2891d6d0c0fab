import { closeSync, fstatSync, lstatSync, openSync, readFileSync, type Stats, statSync } from "node:fs";
import { resolve } from "node:path";
import { parse, TomlError } from "smol-toml";
import { systemErrorCode } from "../../lib/errors.ts";
import { userName } from "../../lib/os-user.ts";
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
  readonly text: string;
  /** Whether the file was found by search: neither `--config` nor `$HOOKLATCH_CONFIG` names it. */
  readonly isFound: boolean;
}

/** A configuration file that cannot be read or is not TOML. */
export interface InvalidDocument {
  readonly kind: "invalid";
  readonly file: string | null;
  readonly fault: ConfigIssue;
}

/** The last place where the file is searched. */
export const SYSTEM_FILE = "/etc/hooklatch/hooklatch.toml";

/** Where a configuration file is searched. */
export interface FileSearch {
  /** The file that `--config` names. */
  readonly named: string | undefined;
  /** The last place of the search. */
  readonly systemFile: string;
  /** The file that an earlier search found: the only place of this one. */
  readonly foundBefore?: string | undefined;
}

/**
 * Finds and parses the configuration file: `named`, else `$HOOKLATCH_CONFIG`, else `./hooklatch.toml`, else
 * `systemFile`. A file that is named must exist. A file that is only found must not be under the control of another
 * user, who could make this user run commands and send secrets.
 */
export function findDocument(
  { named, systemFile, foundBefore }: FileSearch,
  { env, cwd }: Environment,
): ConfigDocument | InvalidDocument {
  const chosen = named ?? env.HOOKLATCH_CONFIG;
  if (named === undefined && chosen === "") {
    const message = "is set but empty: give it a value or unset it";
    return { kind: "invalid", file: null, fault: { ...variable("HOOKLATCH_CONFIG"), message } };
  }
  const mustExist = chosen ?? foundBefore;
  for (const label of mustExist === undefined ? ["hooklatch.toml", systemFile] : [mustExist]) {
    const file = resolve(cwd, label);
    const isFound = chosen === undefined;
    const found = readText(file, isFound ? (stats) => describeDistrust(file, stats) : undefined);
    if (found.kind === "text") return parseDocument(found.text, file, label, isFound);
    if (mustExist === undefined && found.missing) continue;
    const origin = named === undefined && chosen !== undefined ? " ($HOOKLATCH_CONFIG names it)" : "";
    const fault = { file: label, path: "", message: `${found.problem}${origin}`, code: found.code };
    return { kind: "invalid", file, fault };
  }
  return { kind: "document", file: null, label: "defaults", table: {}, text: "", isFound: false };
}

/** Why a file that was only found is not used; null if it may be. A symbolic link counts by its own owner too. */
function describeDistrust(file: string, stats: Stats): string | null {
  const user = process.geteuid?.() ?? null;
  const problem = findTrustProblem(stats, user) ?? findTrustProblem({ ...lstatSync(file), mode: 0 }, user);
  if (problem === null) return null;
  return `is not used because it was found by search and ${problem}; name it with --config if you trust it`;
}

/**
 * Why a file may be under the control of someone else than `user`; null if it is not. It must belong to the user or root
 * and must not be writable by its group or others.
 *
 * @param user null on a system whose files have no such owner.
 */
export function findTrustProblem(
  { uid, mode }: { readonly uid: number; readonly mode: number },
  user: number | null,
): string | null {
  if (user === null) return "this system does not show who controls it";
  if (uid !== user && uid !== 0) return `belongs to ${userName(uid) ?? `user ${uid}`}`;
  if ((mode & 0o022) === 0) return null;
  const writers = [...(mode & 0o020 ? ["its group"] : []), ...(mode & 0o002 ? ["others"] : [])];
  return `is writable by ${writers.join(" and ")} (chmod go-w makes it private)`;
}

/** Parses the text of a configuration file; `label` names it in issues. */
export function parseDocument(
  text: string,
  file: string,
  label: string,
  isFound = false,
): ConfigDocument | InvalidDocument {
  try {
    // Keys such as `__proto__` have no use and are dangerous when a table is copied.
    const table = parse(text, { unsafeKeyBehaviour: "throw" });
    return { kind: "document", file, label, table, text, isFound };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const { line } = error;
    return {
      kind: "invalid",
      file,
      fault: { file: label, line, path: "", message: describeSyntaxError(error) },
    };
  }
}

/** Only the first line of the parser's message: below it the parser quotes the file, which may hold a secret. */
function describeSyntaxError({ message, column }: TomlError): string {
  const [words = ""] = message.replace(/^Invalid TOML document: /, "").split("\n");
  return `invalid TOML at column ${column}: ${words}`;
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

/**
 * Reads a file as UTF-8. Only regular files are read: a pipe or device could block the start forever.
 *
 * @param reject says why the opened file is not to be read; null if it is.
 */
export function readText(file: string, reject: (stats: Stats) => string | null = () => null): FileText {
  try {
    if (!statSync(file).isFile()) return unreadable("is not a regular file");
    const descriptor = openSync(file, "r");
    try {
      const problem = reject(fstatSync(descriptor));
      if (problem !== null) return unreadable(problem);
      const bytes = readFileSync(descriptor);
      return { kind: "text", text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
    } finally {
      closeSync(descriptor);
    }
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
