import { quote } from "../lib/text.ts";
import { actionOf, type Event, nameOf } from "./event.ts";
import type { Decision } from "./match.ts";
import type { Target } from "./target.ts";

/** The variables of the expressions in `when` and `payload_env`, and their CEL types. */
export const RULE_VARIABLES = {
  payload: "dyn",
  event: "string",
  action: "string",
  headers: "map<string, string>",
} as const;

/** The values of the {@link RULE_VARIABLES} for one delivery. */
export type RuleValues = Readonly<Record<keyof typeof RULE_VARIABLES, unknown>>;

/** Reads the values for one event of the delivery. The payload is decoded when a rule first needs it: few do. */
export type ReadRuleValues = (event: Event) => RuleValues;

/**
 * Creates the function that reads the values. An event without an action has an empty one.
 *
 * @param headers the stored headers.
 */
export function createRuleValues(json: string, headers: Readonly<Record<string, string>>): ReadRuleValues {
  let decoded: { readonly payload: unknown } | null = null;
  return (event) => {
    decoded ??= { payload: withoutConstructors(parsePayload(json)) };
    return { ...decoded, event: nameOf(event), action: actionOf(event) ?? "", headers };
  };
}

/** Whole numbers beyond 2^53, such as ids, stay exact. */
function parsePayload(json: string): unknown {
  if (!/\d{16}/.test(json)) return JSON.parse(json);
  return (JSON.parse as ParseWithSource)(json, (_key, value, { source }) =>
    typeof value === "number" && !Number.isSafeInteger(value) ? toInteger(source ?? "", value) : value,
  );
}

/** `context.source` (ECMA-262, JSON.parse source text access) is not in TypeScript's declaration yet. */
type ParseWithSource = (
  text: string,
  reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
) => unknown;

/** CEL's integers have 64 bits. */
function toInteger(source: string, rounded: number): bigint | number {
  if (!/^-?\d{1,19}$/.test(source)) return rounded;
  const exact = BigInt(source);
  return BigInt.asIntN(64, exact) === exact ? exact : rounded;
}

/** The library recognises objects by their `constructor`, which a payload may define. Maps have one of their own. */
function withoutConstructors(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutConstructors);
  const entries = Object.entries(value).map(([key, child]) => [key, withoutConstructors(child)] as const);
  return Object.hasOwn(value, "constructor") ? new Map(entries) : Object.fromEntries(entries);
}

/** Applies `when` to a decision of `event` that deploys the target. */
export function applyCondition(
  decision: Decision,
  { when }: Target,
  event: Event,
  readValues: ReadRuleValues,
): Decision {
  if (!decision.deploy || when === null) return decision;
  const result = when.evaluate(readValues(event));
  if (result.kind === "value" && result.value === true) return decision;
  return { target: decision.target, deploy: false, code: "when", reason: describeResult(when.text, result) };
}

function describeResult(text: string, result: ReturnType<NonNullable<Target["when"]>["evaluate"]>): string {
  switch (result.kind) {
    case "missing":
      return `when failed: ${result.part} is missing`;
    case "failed":
      return `when failed: ${result.reason}`;
    case "value":
      return `when is ${result.value === false ? "false" : "not a boolean"}: ${quote(text)}`;
  }
}

/** The environment variables that a delivery gives, or why a value cannot be one. */
export type PayloadEnvironment =
  | { readonly kind: "read"; readonly variables: Readonly<Record<string, string>> }
  /** Names the variable and never its value. */
  | { readonly kind: "invalid"; readonly reason: string };

/** In bytes of UTF-8. Linux limits a variable to 128 KiB, and all variables and arguments together to 2 MiB. */
const MAX_VALUE = 8192;

/**
 * Evaluates a target's `payload_env`. A variable whose field is missing or null is left out.
 *
 * @param readValues reads the values of the event that decided; null where no delivery asked for the deployment: then no
 *   variable is set.
 */
export function readPayloadEnvironment(
  { payloadEnv }: Target,
  readValues: (() => RuleValues) | null,
): PayloadEnvironment {
  const variables: Record<string, string> = {};
  for (const [name, expression] of Object.entries(readValues === null ? {} : payloadEnv)) {
    const result = expression.evaluate(readValues?.() ?? {});
    if (result.kind === "missing" || (result.kind === "value" && result.value === null)) continue;
    if (result.kind === "failed") return { kind: "invalid", reason: `payload_env ${name}: ${result.reason}` };
    const problem = findProblem(result.value);
    if (problem !== null) return { kind: "invalid", reason: `payload_env ${name}: ${problem}` };
    variables[name] = String(result.value);
  }
  return { kind: "read", variables };
}

function findProblem(value: unknown): string | null {
  if (!["string", "number", "bigint", "boolean"].includes(typeof value)) {
    return "the value is not a string, number or boolean";
  }
  const text = String(value);
  if (text.includes("\0")) return "the value contains a NUL character";
  return Buffer.byteLength(text) > MAX_VALUE ? `the value is larger than ${MAX_VALUE / 1024} KiB` : null;
}
