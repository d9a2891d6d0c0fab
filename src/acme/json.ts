/** A field of an unknown value; undefined when there is none. */
export function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

/** The value when it is a string, else null. */
export function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
