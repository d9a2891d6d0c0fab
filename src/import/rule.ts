import { isTable, type Parameter } from "./hook.ts";

/** A `trigger-rule`: https://github.com/adnanh/webhook/blob/master/docs/Hook-Rules.md */
export type Rule =
  | { readonly kind: "and" | "or"; readonly rules: readonly Rule[] }
  | { readonly kind: "not"; readonly rule: Rule }
  | { readonly kind: "value"; readonly parameter: Parameter; readonly value: string }
  | { readonly kind: "regex"; readonly parameter: Parameter; readonly pattern: string }
  | {
      readonly kind: "signature";
      readonly algorithm: Algorithm;
      readonly parameter: Parameter;
      readonly secret: string;
    }
  | { readonly kind: "address"; readonly ranges: readonly string[] }
  /** Completes "its rule …". */
  | { readonly kind: "unsupported"; readonly reason: string };

/** The hash function of a signature. */
export type Algorithm = "sha1" | "sha256" | "sha512";

/** A condition of `and` and `not` in each other takes twice the text on each level. */
const MAX_DEPTH = 10;
const MAX_MATCHES = 300;

/** Reads a rule. What it cannot read is `unsupported`, so that a hook never gets easier to trigger. */
export function readRule(written: unknown): Rule {
  const rule = readNested(written, MAX_DEPTH);
  if (countMatches(rule) <= MAX_MATCHES) return rule;
  return unsupported(`has more than ${MAX_MATCHES} matches`);
}

function readNested(written: unknown, depth: number): Rule {
  if (!isTable(written)) return unsupported("is not an object");
  if (depth === 0) return unsupported(`is nested deeper than ${MAX_DEPTH} levels`);
  // The first of these keys counts.
  for (const kind of ["and", "or"] as const) {
    const rules = written[kind];
    if (rules === undefined) continue;
    if (!Array.isArray(rules)) return unsupported(`has "${kind}" without a list`);
    return { kind, rules: rules.map((each) => readNested(each, depth - 1)) };
  }
  if (written.not !== undefined) return { kind: "not", rule: readNested(written.not, depth - 1) };
  if (written.match !== undefined) return readMatch(written.match);
  // adnanh/webhook evaluates an empty rule to false.
  return { kind: "or", rules: [] };
}

function readMatch(written: unknown): Rule {
  if (!isTable(written)) return unsupported("has a match that is not an object");
  const type = toText(written.type);
  const parameter = readParameter(written.parameter);
  const signature = /^payload-(?:hmac|hash)-(sha1|sha256|sha512)$/.exec(type)?.[1];
  if (signature !== undefined) {
    const algorithm = signature as Algorithm;
    return { kind: "signature", algorithm, parameter, secret: toText(written.secret) };
  }
  switch (type) {
    case "value":
      return { kind: "value", parameter, value: toText(written.value) };
    case "regex":
      return { kind: "regex", parameter, pattern: toText(written.regex) };
    case "ip-whitelist":
      return {
        kind: "address",
        ranges: toText(written["ip-range"])
          .split(/\s+/)
          .filter((range) => range !== ""),
      };
    case "scalr-signature":
      return unsupported("has a scalr-signature, which signs with SHA-1 and which no provider checks");
    default:
      return unsupported("has a match of an unknown type");
  }
}

function readParameter(written: unknown): Parameter {
  const { source, name } = isTable(written) ? written : {};
  return { source: toText(source), name: toText(name) };
}

function toText(value: unknown): string {
  return ["string", "number", "bigint", "boolean"].includes(typeof value) ? String(value) : "";
}

function countMatches(rule: Rule): number {
  if (rule.kind === "not") return countMatches(rule.rule);
  if (rule.kind !== "and" && rule.kind !== "or") return 1;
  return rule.rules.reduce((sum, each) => sum + countMatches(each), 0);
}

function unsupported(reason: string): Rule {
  return { kind: "unsupported", reason };
}
