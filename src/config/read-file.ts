import { readFileSync, statSync } from "node:fs";
import { codeOf } from "../domain/fault.ts";

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
  const code = codeOf(error) ?? "unknown error";
  return REASONS[code] ?? `cannot be read: ${code}`;
}
