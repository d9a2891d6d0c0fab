import { quote } from "./table.ts";

/** Something wrong, or worth a warning, in what the configuration says. Never holds the value of a secret. */
export interface ConfigIssue {
  /** The configuration file as it was named, or `environment`. */
  readonly file: string;
  /** Where in it, such as `target[0].timeout` or `$PORT`; empty for the file as a whole. */
  readonly path: string;
  /** What was expected and what was found. */
  readonly message: string;
}

/** The finding in one line: `hooklatch.toml: target[1].timeout: expected a duration …, found 10`. */
export function describeIssue({ file, path, message }: ConfigIssue): string {
  return [file, path, message].filter((part) => part !== "").join(": ");
}

/** Where a setting stands. */
export type Place = Pick<ConfigIssue, "file" | "path">;

/** The place of an entry of the table or list at `place`; keys are written as TOML writes them. */
export function child({ file, path }: Place, key: string | number): Place {
  if (typeof key === "number") return { file, path: `${path}[${key}]` };
  const written = /^[\w-]+$/.test(key) ? key : quote(key);
  return { file, path: path === "" ? written : `${path}.${written}` };
}

/** The place of an environment variable. */
export function variable(name: string): Place {
  return { file: "environment", path: `$${name}` };
}

/** Collects what is found, so that everything can be told at once, and each thing once. */
export class IssueList {
  readonly faults: ConfigIssue[] = [];
  readonly warnings: ConfigIssue[] = [];
  readonly #told = new Set<string>();

  fault(place: Place, message: string): void {
    this.#add(this.faults, place, message);
  }

  warn(place: Place, message: string): void {
    this.#add(this.warnings, place, message);
  }

  #add(findings: ConfigIssue[], { file, path }: Place, message: string): void {
    const finding = { file, path, message };
    const line = describeIssue(finding);
    if (this.#told.has(line)) return;
    this.#told.add(line);
    findings.push(finding);
  }
}
