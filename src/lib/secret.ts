import { inspect } from "node:util";

/**
 * A secret as the configuration names it (`env:NAME`, `file:PATH`, `credential:NAME`, or a literal), whose
 * value is filled in once, later. Everything that would print it prints only where it comes from: a template
 * string, `JSON.stringify`, `console.log` and an error message are all safe.
 */
export class Secret {
  #value: string | null = null;

  constructor(
    /** Where the value comes from, or the literal itself; only `reveal` and the loader may use a literal's. */
    readonly origin: SecretOrigin,
  ) {}

  /** Whether the value is there. A secret without one never equals anything: `reveal` throws. */
  get loaded(): boolean {
    return this.#value !== null;
  }

  /** Fills in the value. Throws on an empty one: nothing must ever be compared with nothing. */
  load(value: string): void {
    if (value === "") throw new Error(`${this} is empty`);
    this.#value = value;
  }

  /** The value, for the one place that compares or signs with it. Throws when it was never loaded. */
  reveal(): string {
    if (this.#value === null) throw new Error(`${this} was not loaded`);
    return this.#value;
  }

  toString(): string {
    return this.origin.kind === "literal" ? "[literal secret]" : `${this.origin.kind}:${this.origin.name}`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

export type SecretOrigin =
  | { readonly kind: "env"; readonly name: string }
  | { readonly kind: "file"; readonly name: string }
  | { readonly kind: "credential"; readonly name: string }
  | { readonly kind: "literal"; readonly value: string };

/** Reads `env:NAME`, `file:PATH` and `credential:NAME`; anything else is a literal. */
export function parseSecretOrigin(text: string): SecretOrigin {
  for (const kind of ["env", "file", "credential"] as const) {
    if (text.startsWith(`${kind}:`)) return { kind, name: text.slice(kind.length + 1) };
  }
  return { kind: "literal", value: text };
}
