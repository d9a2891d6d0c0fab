/** A field of what may be anything; undefined where there is none. */
export function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

/** The text, or null for anything else. */
export function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
