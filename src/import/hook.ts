import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";

/**
 * A hook of adnanh/webhook, by the keys of its documentation:
 * https://github.com/adnanh/webhook/blob/master/docs/Hook-Definition.md
 */
const Text = Type.String();
const ParameterTable = Type.Object({
  source: Type.Optional(Text),
  name: Type.Optional(Text),
  envname: Type.Optional(Text),
  base64decode: Type.Optional(Type.Boolean()),
});
const Parameters = Type.Optional(Type.Array(ParameterTable));

const PARAMETER_LISTS = [
  "parse-parameters-as-json",
  "pass-arguments-to-command",
  "pass-environment-to-command",
  "pass-file-to-command",
] as const;

const HookTable = Type.Object({
  id: Text,
  "execute-command": Text,
  "command-working-directory": Type.Optional(Text),
  "response-message": Type.Optional(Text),
  "response-headers": Type.Optional(
    Type.Array(Type.Object({ name: Type.Optional(Text), value: Type.Optional(Text) })),
  ),
  "success-http-response-code": Type.Optional(Type.Integer()),
  "incoming-payload-content-type": Type.Optional(Text),
  "http-methods": Type.Optional(Type.Array(Text)),
  "include-command-output-in-response": Type.Optional(Type.Boolean()),
  "include-command-output-in-response-on-error": Type.Optional(Type.Boolean()),
  "parse-parameters-as-json": Parameters,
  "pass-arguments-to-command": Parameters,
  "pass-environment-to-command": Parameters,
  "pass-file-to-command": Parameters,
  "trigger-rule": Type.Optional(Type.Unknown()),
  "trigger-rule-mismatch-http-response-code": Type.Optional(Type.Integer()),
  "trigger-signature-soft-failures": Type.Optional(Type.Boolean()),
});

/** A hook whose values have the types of the documentation. `trigger-rule` is read on its own. */
export type Hook = Static<typeof HookTable>;

/** A value of a request, or a fixed text, that a hook refers to. */
export type Parameter = NonNullable<Hook["pass-arguments-to-command"]>[number];

/** A hook as read, or why it cannot be. */
export type HookResult =
  | { readonly kind: "read"; readonly hook: Hook; readonly unknownKeys: readonly string[] }
  | { readonly kind: "invalid"; readonly id: string | null; readonly reason: string };

/** More levels than any rule needs. */
const MAX_DEPTH = 40;

/**
 * Reads one hook. Like adnanh/webhook, it reads numbers and booleans as text where text belongs, ignores the case of
 * keys, and takes null for a missing value.
 */
export function readHook(written: unknown): HookResult {
  const normalised = normalise(written, MAX_DEPTH);
  const table = isTable(normalised) ? normalised : {};
  const id = typeof table.id === "string" || typeof table.id === "number" ? String(table.id) : null;
  const invalid = (reason: string) => ({ kind: "invalid", id, reason }) as const;
  if (normalised === TOO_DEEP) return invalid(`is nested deeper than ${MAX_DEPTH} levels`);
  if (!isTable(normalised)) return invalid("is not an object");
  const hook = Value.Convert(HookTable, normalised);
  const [error] = Value.Errors(HookTable, hook);
  if (error !== undefined || !Value.Check(HookTable, hook)) {
    const place = error?.path.slice(1).replaceAll("/", ".") ?? "";
    const isMissing = error?.value === undefined;
    return invalid(`"${place}" ${isMissing ? "is missing" : "has a value of another type"}`);
  }
  if (hook.id === "") return invalid('"id" is empty');
  if (hook["execute-command"] === "") return invalid('"execute-command" is empty');
  const unknownKeys = [
    ...Object.keys(table).filter((key) => !Object.hasOwn(HookTable.properties, key)),
    ...PARAMETER_LISTS.flatMap((list) =>
      (hook[list] ?? []).flatMap((parameter) =>
        Object.keys(parameter).flatMap((key) =>
          Object.hasOwn(ParameterTable.properties, key) ? [] : [`${list}.${key}`],
        ),
      ),
    ),
  ];
  return { kind: "read", hook, unknownKeys };
}

/** Whether a value is an object with keys. */
export function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const TOO_DEEP = Symbol("too deep");

/** Lower-case keys without null values. Text that is not Unicode becomes so, because TOML holds nothing else. */
function normalise(value: unknown, depth: number): unknown {
  if (typeof value === "string") return value.toWellFormed();
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (typeof value !== "object" || value === null) return value;
  if (depth === 0) return TOO_DEEP;
  const children: (readonly [string, unknown])[] = Object.entries(value).map(([key, child]) => [
    key.toLowerCase(),
    normalise(child, depth - 1),
  ]);
  if (children.some(([, child]) => child === TOO_DEEP)) return TOO_DEEP;
  if (Array.isArray(value)) return children.map(([, child]) => child);
  return Object.fromEntries(children.filter(([, child]) => child !== null && child !== undefined));
}
