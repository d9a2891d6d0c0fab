import { inspect } from "node:util";

/**
 * A secret as the configuration names it: `env:NAME`, `file:PATH`, `credential:NAME` or a literal. Its value is loaded
 * once, later. A template string, `JSON.stringify`, `console.log` and an error message show where the secret comes
 * from, never its value.
 */
export class Secret {
  #value: string | null = null;

  constructor(
    /** Where the value comes from. Only `reveal` and the loader may use the value of a literal. */
    readonly origin: SecretOrigin,
  ) {}

  /** Whether the value is loaded. */
  get loaded(): boolean {
    return this.#value !== null;
  }

  /** Sets the value. Throws when it is empty: an empty secret would match an empty credential. */
  load(value: string): void {
    if (value === "") throw new Error(`${this} is empty`);
    this.#value = value;
  }

  /** The value, for code that compares or signs with it. Throws when it is not loaded. */
  reveal(): string {
    if (this.#value === null) throw new Error(`${this} is not loaded`);
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

/** Where a secret comes from; `name` is a variable, a path or a file of systemd's `$CREDENTIALS_DIRECTORY`. */
export type SecretOrigin =
  | { readonly kind: "env"; readonly name: string }
  | { readonly kind: "file"; readonly name: string }
  | { readonly kind: "credential"; readonly name: string }
  | { readonly kind: "literal"; readonly value: string };

/** Parses `env:NAME`, `file:PATH` and `credential:NAME`. Any other text is a literal. */
export function parseSecretOrigin(text: string): SecretOrigin {
  for (const kind of ["env", "file", "credential"] as const) {
    if (text.startsWith(`${kind}:`)) return { kind, name: text.slice(kind.length + 1) };
  }
  return { kind: "literal", value: text };
}
