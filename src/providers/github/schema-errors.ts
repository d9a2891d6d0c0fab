import type { TSchema } from "@sinclair/typebox";
import type { TypeCheck } from "@sinclair/typebox/compiler";
import { type ValueError, ValueErrorType } from "@sinclair/typebox/errors";

const MOST_FAULTS = 5;

/**
 * Which fields do not fit the schema, such as `/after expected string, /repository/full_name is missing`: the
 * first few, by their JSON Pointer. Holds names from the schema and positions in lists, never text of the payload.
 */
export function describeSchemaErrors(shape: TypeCheck<TSchema>, value: unknown): string {
  const faults = new Map<string, string>();
  for (const error of shape.Errors(value)) {
    // A missing field is told twice, the second time as having the wrong type.
    if (!faults.has(error.path)) faults.set(error.path, describe(error));
    if (faults.size === MOST_FAULTS) break;
  }
  return [...faults.values()].join(", ");
}

function describe({ path, type, message, schema }: ValueError): string {
  const field = path === "" ? "the payload" : path;
  if (type === ValueErrorType.ObjectRequiredProperty) return `${field} is missing`;
  const expected: unknown = schema.expected;
  return `${field} expected ${typeof expected === "string" ? expected : message.replace(/^Expected /, "")}`;
}
