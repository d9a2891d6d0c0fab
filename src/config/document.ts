import { resolve } from "node:path";
import { parse, TomlError } from "smol-toml";
import { type Finding, variable } from "./finding.ts";
import type { Surroundings } from "./ground.ts";
import { readText } from "./read-file.ts";

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
  | { readonly ok: false; readonly file: string | null; readonly fault: Finding };

/** The last place that is looked at. */
export const SYSTEM_FILE = "/etc/hooklatch/hooklatch.toml";

/**
 * Finds and parses the configuration file: the one that is named, else `$HOOKLATCH_CONFIG`, else
 * `./hooklatch.toml`, else `systemFile`. One that is named has to be there.
 */
export function findDocument(
  named: string | undefined,
  { env, cwd }: Surroundings,
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
