import type { ParseResult } from "@marcbachmann/cel-js";
import { RE2JS } from "re2js";

/**
 * Steps of one evaluation, about 0.1 µs each in the worst case, so that no payload occupies the server for much longer
 * than a tenth of a second. A search through the files of the 2,048 commits of GitHub's largest push takes half.
 */
const BUDGET = 500_000;

/** Characters of a pattern. */
const MAX_PATTERN = 1000;

/** Characters that one step copies or compares. */
const CHARACTERS_PER_STEP = 8;

/** Nodes without an operation, such as literals and variables, that are evaluated in one step. */
const NODES_PER_STEP = 4;

/** A node of the library's syntax tree. The type check sets `handle`, which gets the values of the node's operands. */
interface Node {
  readonly op: string;
  readonly args: unknown;
  readonly start: number;
  readonly meta: { readonly alternate?: unknown; readonly macro?: unknown };
  handle?: (...values: readonly unknown[]) => unknown;
}

/** Thrown when the budget is used up. One object, because creating an error takes longer than a step. */
const EXHAUSTED = new Error("the evaluation takes too many steps");

/** The steps that the current evaluation has left. Evaluations are synchronous and do not nest. */
let remaining = 0;

function charge(steps: number): void {
  remaining -= steps;
  if (remaining < 0) throw EXHAUSTED;
}

export type LimitResult =
  | { readonly kind: "limited" }
  | { readonly kind: "invalid"; readonly problem: string };

/**
 * Makes each operation of a checked expression charge the budget for the size of its operands before it runs, and
 * replaces the patterns of `matches`, which the library gives to the backtracking `RegExp`.
 */
export function limitSteps(parsed: ParseResult): LimitResult {
  for (const node of collectNodes(parsed.ast)) {
    const { handle } = node;
    const isMatch = node.op === "rcall" && Array.isArray(node.args) && node.args[0] === "matches";
    if (isMatch) {
      const problem = replacePattern(node);
      if (problem !== null) return { kind: "invalid", problem };
    } else if (handle !== undefined) {
      const costOf = costFunctionOf(node);
      node.handle = (...values) => {
        charge(costOf(values));
        return handle(...values);
      };
    }
  }
  return { kind: "limited" };
}

/** Evaluates an expression that {@link limitSteps} limited. Throws the errors of the evaluation. */
export function runLimited(
  evaluate: () => unknown,
): { readonly kind: "value"; readonly value: unknown } | { readonly kind: "exhausted" } {
  remaining = BUDGET;
  try {
    const value = evaluate();
    // The library swallows an error in an operand of `||` whose other operand decides.
    return remaining < 0 ? { kind: "exhausted" } : { kind: "value", value };
  } catch (error) {
    if (remaining < 0) return { kind: "exhausted" };
    throw error;
  }
}

function costFunctionOf(node: Node): (values: readonly unknown[]) => number {
  switch (node.op) {
    case "==":
    case "!=":
    case "in":
      return ([left, right]) => deepSize(left, remaining) + deepSize(right, remaining);
    case "call":
    case "rcall":
      // The first value is the list of operands.
      return ([operands]) => costOfCall(Array.isArray(operands) ? operands : []);
    case "comprehension": {
      // Operations in the body are charged on their own.
      const cost = 1 + collectNodes(node.args).length / NODES_PER_STEP;
      return ([items]) => 1 + sizeOf(items) * cost;
    }
    case ".":
    case ".?":
    case "[]":
    case "[?]":
    case "?:":
      return () => 1;
    default:
      return ([left, right]) => 1 + sizeOf(left) + sizeOf(right);
  }
}

/** A search for one text in another may compare each character of both. */
function costOfCall(operands: readonly unknown[]): number {
  const texts = operands.filter((operand) => typeof operand === "string");
  const [text = "", searched = ""] = texts;
  const search = (text.length / CHARACTERS_PER_STEP) * (searched.length / CHARACTERS_PER_STEP);
  return operands.reduce((sum: number, operand) => sum + sizeOf(operand), 1 + search / CHARACTERS_PER_STEP);
}

/** In steps. */
function sizeOf(value: unknown): number {
  if (typeof value === "string") return value.length / CHARACTERS_PER_STEP;
  if (typeof value !== "object" || value === null) return 0;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length;
  return value instanceof Map ? value.size : Object.keys(value).length;
}

/** The size of a value with everything in it, in steps; some number above `limit` where it is larger. */
function deepSize(value: unknown, limit: number): number {
  let size = 1 + sizeOf(value);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return size;
  for (const child of value instanceof Map ? value.values() : Object.values(value)) {
    if (size > limit) return size;
    size += deepSize(child, limit - size);
  }
  return size;
}

/** Returns what is wrong with the pattern; null when it was replaced. */
function replacePattern(node: Node): string | null {
  const [, , operands] = node.args as readonly unknown[];
  const [literal] = Array.isArray(operands) ? operands : [];
  const at = `at character ${node.start + 1}`;
  if (!isNode(literal) || typeof literal.args !== "string" || literal.op !== "value") {
    return `the pattern of "matches" must be a string literal, ${at}`;
  }
  if (literal.args.length > MAX_PATTERN) {
    return `the pattern of "matches" has more than ${MAX_PATTERN} characters, ${at}`;
  }
  let pattern: RE2JS;
  try {
    pattern = RE2JS.compile(literal.args);
  } catch {
    return `the pattern of "matches" is not a regular expression of RE2 (https://github.com/google/re2/wiki/Syntax), ${at}`;
  }
  node.handle = (operandValues) => {
    const [text] = Array.isArray(operandValues) ? operandValues : [];
    if (typeof text !== "string") throw new TypeError("matches needs a string");
    // Matching takes several times as long for each character as copying.
    charge(1 + text.length);
    return pattern.matcher(text).find();
  };
  return null;
}

/** Every node below a value, each once: also those that macros such as `exists` add. */
function collectNodes(root: unknown): readonly Node[] {
  const found = new Set<object>();
  const nodes: Node[] = [];
  const pending: unknown[] = [root];
  while (pending.length > 0) {
    const value = pending.pop();
    if (typeof value !== "object" || value === null || found.has(value)) continue;
    found.add(value);
    if (isNode(value)) {
      nodes.push(value);
      pending.push(value.args, value.meta.alternate, value.meta.macro);
    } else if (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype) {
      pending.push(...Object.values(value));
    }
  }
  return nodes;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "op" in value && "meta" in value && "args" in value;
}
