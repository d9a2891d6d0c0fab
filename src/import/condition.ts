import { RULE_VARIABLES } from "../domain/rule.ts";
import { compileExpression } from "../lib/expression.ts";
import type { Rule } from "./rule.ts";
import { type BodyReading, resolveParameter, type Value, writeText } from "./value.ts";

/**
 * How adnanh/webhook evaluates a rule: to true or false, and with an error where the request lacks a value. The error
 * makes an `and` around it false and does nothing in an `or`, while a `not` around it is true.
 */
type Outcome = "true" | "false" | "true with an error" | "false with an error";

const TRUE: readonly Outcome[] = ["true", "true with an error"];
const FALSE: readonly Outcome[] = ["false", "false with an error"];

/** A condition in CEL, or why there is none. */
export type Condition =
  | { readonly kind: "written"; readonly cel: string; readonly headers: readonly string[] }
  | { readonly kind: "impossible"; readonly reason: string };

/** An expression and its outermost operator. */
interface Term {
  readonly text: string;
  readonly operator: "&&" | "||" | null;
}

const ALWAYS: Term = { text: "true", operator: null };
const NEVER: Term = { text: "false", operator: null };

const NEGATED: Readonly<Record<Outcome, Outcome>> = {
  true: "false",
  false: "true",
  "true with an error": "false with an error",
  "false with an error": "true with an error",
};

/**
 * Writes rules, which must all hold, as one condition. Where a request lacks a value, the evaluation of the condition may
 * fail; then the target is not deployed, as where it is false.
 *
 * @param isWhole whether the one rule is the whole rule of the hook, whose errors adnanh/webhook ignores.
 */
export function writeCondition(rules: readonly Rule[], isWhole: boolean, body: BodyReading): Condition {
  for (const rule of rules) {
    const reason = findObstacle(rule, body);
    if (reason !== null) return { kind: "impossible", reason };
  }
  const headers = new Set<string>();
  const wanted: readonly Outcome[] = isWhole ? TRUE : ["true"];
  const terms = rules.map((rule) => write(rule, wanted, body, headers));
  const { text: cel } = join("&&", terms);
  const problem = findProblem(cel);
  return problem === null
    ? { kind: "written", cel, headers: [...headers] }
    : { kind: "impossible", reason: problem };
}

/** The longest condition, in characters. */
const MAX_LENGTH = 4096;

/** Why a condition is not valid. Faults of the configuration would quote it, and it may hold a secret. */
function findProblem(cel: string): string | null {
  if (cel.length > MAX_LENGTH) return `makes a condition of more than ${MAX_LENGTH} characters`;
  const result = compileExpression(cel, RULE_VARIABLES);
  return result.kind === "compiled" ? null : `makes an invalid condition: ${result.problem}`;
}

/** Why a rule cannot be a condition; null where it can. Completes "its rule …". */
function findObstacle(rule: Rule, body: BodyReading): string | null {
  switch (rule.kind) {
    case "and":
    case "or":
      return rule.rules.map((each) => findObstacle(each, body)).find((reason) => reason !== null) ?? null;
    case "not":
      return findObstacle(rule.rule, body);
    case "signature":
      if (rule.secret === "") return "has a signature without a secret, so that no request passes it";
      if (rule.parameter.source !== "header") return "has a signature that is not in a header";
      return "has a signature that not every request needs, or several: a source checks one signature of every request";
    case "address":
      if (rule.ranges.length === 0) return "has a list of addresses that is empty";
      return "has addresses that not every request needs: a source has one list of addresses for every request";
    case "unsupported":
      return rule.reason;
    case "value":
    case "regex": {
      const value = resolveParameter(rule.parameter, body);
      if (value.kind === "body") return "compares the whole body, which conditions cannot do";
      return value.kind === "unavailable" ? `compares ${nameOf(rule)}, and ${value.reason}` : null;
    }
  }
}

/** Writes the condition that a rule has one of the wanted outcomes. */
function write(rule: Rule, wanted: readonly Outcome[], body: BodyReading, headers: Set<string>): Term {
  const has = (outcome: Outcome) => wanted.includes(outcome);
  const sub = (each: Rule, outcomes: readonly Outcome[]) => write(each, outcomes, body, headers);
  switch (rule.kind) {
    case "not":
      return sub(
        rule.rule,
        wanted.map((outcome) => NEGATED[outcome]),
      );
    case "or":
      // It has no errors.
      if (has("true") && has("false")) return ALWAYS;
      return join("||", [
        ...(has("true") ? rule.rules.map((each) => sub(each, TRUE)) : []),
        ...(has("false")
          ? [
              join(
                "&&",
                rule.rules.map((each) => sub(each, FALSE)),
              ),
            ]
          : []),
      ]);
    case "and":
      return writeAnd(rule.rules, has, sub);
    case "value":
    case "regex": {
      const value = resolveParameter(rule.parameter, body);
      if (value.kind === "expression" && value.header !== null) headers.add(value.header);
      return writeMatch(rule, value, has);
    }
    case "signature":
    case "address":
    case "unsupported":
      throw new Error(`a ${rule.kind} is no condition`);
  }
}

/** An `and` ends with the first rule that is not true: with an error where that one has an error. */
function writeAnd(
  rules: readonly Rule[],
  has: (outcome: Outcome) => boolean,
  sub: (rule: Rule, outcomes: readonly Outcome[]) => Term,
): Term {
  const endings: readonly Outcome[] = [
    ...(has("false") ? (["false"] as const) : []),
    ...(has("false with an error") ? (["true with an error", "false with an error"] as const) : []),
  ];
  const allTrue = (some: readonly Rule[]) => some.map((rule) => sub(rule, ["true"]));
  return join("||", [
    ...(has("true") ? [join("&&", allTrue(rules))] : []),
    ...(endings.length === 0
      ? []
      : rules.map((rule, index) => {
          // Where every ending is wanted, the order does not matter.
          const before = endings.length === 3 ? [] : allTrue(rules.slice(0, index));
          return join("&&", [...before, sub(rule, endings)]);
        })),
  ]);
}

type Match = Extract<Rule, { kind: "value" | "regex" }>;

function writeMatch(rule: Match, value: Value, has: (outcome: Outcome) => boolean): Term {
  if (value.kind !== "literal" && value.kind !== "expression")
    throw new Error("the value cannot be compared");
  const compared = rule.kind === "value" ? compareText(rule.value, value) : matchPattern(rule.pattern, value);
  const isPresent: Term =
    value.kind === "literal"
      ? ALWAYS
      : { text: value.isPresent, operator: value.isPresent.includes(" && ") ? "&&" : null };
  if (has("true") && has("false") && !has("false with an error")) return isPresent;
  const alternatives = [
    ...(has("false with an error") ? [invert(isPresent)] : []),
    ...(has("true") && has("false") ? [ALWAYS] : []),
    ...(has("true") && !has("false") ? [compared] : []),
    ...(has("false") && !has("true") ? [invert(compared)] : []),
  ];
  return join("||", alternatives);
}

/** Such as `url "token"`. */
function nameOf({ parameter: { source = "", name = "" } }: Match): string {
  return name === "" ? source : `${source} ${JSON.stringify(name)}`;
}

/** adnanh/webhook compares numbers and booleans by their text. */
function compareText(text: string, value: Extract<Value, { kind: "literal" | "expression" }>): Term {
  if (value.kind === "literal") return value.text === text ? ALWAYS : NEVER;
  const equals = (literal: string): Term => ({ text: `${value.cel} == ${literal}`, operator: null });
  const isScalar = /^(?:true|false|-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?)$/.test(text);
  if (value.isText || !isScalar) return equals(writeText(text));
  return join("||", [equals(writeText(text)), equals(text)]);
}

function matchPattern(pattern: string, value: Extract<Value, { kind: "literal" | "expression" }>): Term {
  const literal = writeText(pattern);
  if (value.kind === "literal") {
    return { text: `${writeText(value.text)}.matches(${literal})`, operator: null };
  }
  const text = value.isText ? value.cel : `string(${value.cel})`;
  return { text: `${text}.matches(${literal})`, operator: null };
}

function invert(term: Term): Term {
  if (term === ALWAYS) return NEVER;
  if (term === NEVER) return ALWAYS;
  const isCall = term.operator === null && /\)$/.test(term.text) && !/ (?:==|in) /.test(term.text);
  return { text: isCall ? `!${term.text}` : `!(${term.text})`, operator: null };
}

function join(operator: "&&" | "||", terms: readonly Term[]): Term {
  const [decides, neutral] = operator === "&&" ? [NEVER, ALWAYS] : [ALWAYS, NEVER];
  if (terms.includes(decides)) return decides;
  const [first, ...others] = terms.filter((term) => term !== neutral);
  if (first === undefined) return neutral;
  if (others.length === 0) return first;
  const text = [first, ...others]
    .map((term) => (term.operator === null || term.operator === operator ? term.text : `(${term.text})`))
    .join(` ${operator} `);
  return { text, operator };
}
