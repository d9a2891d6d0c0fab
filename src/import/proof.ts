import { isCredentialHeader } from "../config/source.ts";
import type { Algorithm, Rule } from "./rule.ts";

/** How every request of a hook proves its sender: a part of its rule that a source checks. */
export type Proof =
  | {
      readonly kind: "signature";
      /** In lower case. */
      readonly header: string;
      readonly algorithm: Algorithm;
      /** Any of them verifies. */
      readonly secrets: readonly string[];
    }
  | { readonly kind: "header" | "query"; readonly name: string; readonly secrets: readonly string[] }
  | { readonly kind: "address"; readonly ranges: readonly string[] };

/** A rule in two parts, which must both hold. */
export interface SplitRule {
  readonly proofs: readonly Proof[];
  readonly conditions: readonly Rule[];
  /** Whether the one condition is the whole rule. */
  readonly isWhole: boolean;
}

/** Splits a rule into what a source checks and what a target decides. */
export function splitRule(rule: Rule | null): SplitRule {
  if (rule === null) return { proofs: [], conditions: [], isWhole: false };
  const parts = (rule.kind === "and" ? flatten(rule) : [rule]).map(splitPart);
  const proofs = parts.flatMap((part) => part.proofs);
  const conditions = parts.flatMap((part) => part.conditions);
  if (proofs.some(({ kind }) => kind !== "address")) {
    return { proofs: unique(proofs), conditions, isWhole: false };
  }
  const promoted = conditions.findIndex(isSharedText);
  const token = conditions[promoted];
  const proof = token === undefined ? null : toToken(token);
  const isWhole = rule.kind !== "and" && proofs.length === 0;
  if (proof === null) return { proofs: unique(proofs), conditions, isWhole };
  return {
    proofs: unique([...proofs, proof]),
    conditions: conditions.toSpliced(promoted, 1),
    isWhole: false,
  };
}

function flatten(rule: Rule): readonly Rule[] {
  return rule.kind === "and" ? rule.rules.flatMap(flatten) : [rule];
}

interface Part {
  readonly proofs: readonly Proof[];
  readonly conditions: readonly Rule[];
}

function splitPart(rule: Rule): Part {
  const proof = toProof(rule);
  if (proof !== null) return { proofs: [proof], conditions: [] };
  if (rule.kind !== "or" || rule.rules.length === 0) return { proofs: [], conditions: [rule] };
  // The same proof in each alternative is one that every request needs.
  const alternatives = rule.rules.map((each) => flatten(each).map(splitPart));
  const needed = alternatives.map((parts) => unique(parts.flatMap(({ proofs }) => proofs)));
  const [first = [], ...others] = needed;
  if (first.length === 0 || others.some((each) => keyOf(each) !== keyOf(first))) {
    return { proofs: [], conditions: [rule] };
  }
  const rules = alternatives.map((parts): Rule => {
    return { kind: "and", rules: parts.flatMap(({ conditions }) => conditions) };
  });
  return { proofs: first, conditions: [{ kind: "or", rules }] };
}

/** The proof that a rule alone is; null for a condition. Alternatives of one kind are one proof. */
function toProof(rule: Rule): Proof | null {
  switch (rule.kind) {
    case "and":
    case "or": {
      const proofs = rule.rules.map(toProof);
      if (rule.kind === "and") return proofs.length === 1 ? (proofs[0] ?? null) : null;
      return proofs.reduce<Proof | null | undefined>(merge, undefined) ?? null;
    }
    case "signature": {
      const { source, name = "" } = rule.parameter;
      if (source !== "header" || rule.secret === "") return null;
      return {
        kind: "signature",
        header: name.toLowerCase(),
        algorithm: rule.algorithm,
        secrets: [rule.secret],
      };
    }
    case "address":
      return rule.ranges.length === 0 ? null : { kind: "address", ranges: rule.ranges };
    case "value": {
      const { source = "", name = "" } = rule.parameter;
      const isHidden = source === "header" ? isCredentialHeader(name.toLowerCase()) : isQuery(source);
      return isHidden ? toToken(rule) : null;
    }
    default:
      return null;
  }
}

/** `undefined` before the first alternative, null where two differ in more than their secrets. */
function merge(merged: Proof | null | undefined, proof: Proof | null): Proof | null {
  if (merged === undefined || merged === null || proof === null) return merged === undefined ? proof : null;
  if (merged.kind === "address" && proof.kind === "address") {
    return { ...merged, ranges: [...new Set([...merged.ranges, ...proof.ranges])] };
  }
  if (merged.kind === "address" || proof.kind === "address") return null;
  if (keyOf([{ ...merged, secrets: [] }]) !== keyOf([{ ...proof, secrets: [] }])) return null;
  return { ...merged, secrets: [...new Set([...merged.secrets, ...proof.secrets])] };
}

function toToken(rule: Rule): Proof | null {
  if (rule.kind !== "value" || rule.value === "") return null;
  const { source = "", name = "" } = rule.parameter;
  if (source === "header") return { kind: "header", name, secrets: [rule.value] };
  return isQuery(source) ? { kind: "query", name, secrets: [rule.value] } : null;
}

function isQuery(source: string): boolean {
  return source === "url" || source === "query";
}

/** Headers whose values everybody knows. */
const PUBLIC_HEADERS =
  /event|action|type|kind|agent|host|accept|origin|refer|delivery|topic|source|version|forwarded|hook-id|branch|ref/;

/** Whether a condition compares a header with a text that only the sender knows, by the look of both. */
function isSharedText(rule: Rule): boolean {
  if (rule.kind !== "value" || rule.parameter.source !== "header" || rule.value.length < 8) return false;
  return !PUBLIC_HEADERS.test(rule.parameter.name?.toLowerCase() ?? "");
}

function unique(proofs: readonly Proof[]): readonly Proof[] {
  return [...new Map(proofs.map((proof) => [keyOf([proof]), proof])).values()];
}

function keyOf(proofs: readonly Proof[]): string {
  return JSON.stringify(proofs.map((proof) => JSON.stringify(Object.entries(proof).toSorted())).toSorted());
}
