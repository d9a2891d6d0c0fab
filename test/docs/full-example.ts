import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";

const FILE = join(import.meta.dir, "../../examples/full.toml");

/** The keys that need a shared store, and are commented out in the file. */
const SHARED = /^# (?=(?:url|host|hosts|rollout|rollout_patience) = )/gm;

/**
 * The text of examples/full.toml. `[server.acme]` excludes `[server.tls]` and is commented out in the file; `acme`
 * exchanges them. `shared` adds the settings of a store that several hosts share.
 */
export function readFullExample(variant: "tls" | "acme" | "shared"): string {
  const text = readFileSync(FILE, "utf8");
  if (variant === "tls") return text;
  if (variant === "shared") return text.replaceAll(SHARED, "");
  const start = text.indexOf("# [server.acme]");
  const end = text.indexOf("\n\n", start);
  const acme = text.slice(start, end).replaceAll(/^# /gm, "");
  return text.replace(/^\[server\.tls\]\n(?:\w.*\n)+/m, "").replace(text.slice(start, end), acme);
}

/** A TOML value as it is parsed. */
export type Value = string | number | boolean | Date | readonly Value[] | { readonly [key: string]: Value };

/** The first value of a key in the example, such as `target.health.url`; undefined when the key is missing. */
export function findExample(path: string): Value | undefined {
  return (
    search(parse(readFullExample("acme")) as Value, path.split(".")) ??
    search(parse(readFullExample("shared")) as Value, path.split("."))
  );
}

function search(value: Value, [key, ...rest]: readonly string[]): Value | undefined {
  if (key === undefined) return value;
  if (Array.isArray(value)) {
    return value.map((entry) => search(entry, [key, ...rest])).find((found) => found !== undefined);
  }
  if (typeof value !== "object" || !(key in value)) return undefined;
  const inner = (value as { readonly [key: string]: Value })[key];
  return inner === undefined ? undefined : search(inner, rest);
}
