import { randomBytes } from "node:crypto";
import type { SecretText } from "./template.ts";
import type { TomlValue } from "./write-toml.ts";

/** A secret of a hook, for which a slot stands until it is known where it will be written. */
export interface Slot {
  /** The text that stands for it, which is a reference to an environment variable. */
  readonly text: string;
  readonly variable: string;
  readonly secret: Exclude<SecretText, { kind: "template" }>;
}

/** The secrets of one hook. */
export interface SecretSlots {
  /** Adds a secret and returns the text that stands for it. */
  add(secret: Slot["secret"]): string;
  readonly slots: readonly Slot[];
}

/** Creates an empty list of secrets. No hooks file can contain the texts that stand for them. */
export function createSecretSlots(): SecretSlots {
  const slots: Slot[] = [];
  const prefix = `IMPORT_${randomBytes(16).toString("hex")}`;
  return {
    slots,
    add(secret) {
      const variable = `${prefix}_${slots.length}`;
      slots.push({ text: `env:${variable}`, variable, secret });
      return `env:${variable}`;
    },
  };
}

/** Replaces the slots in a value. */
export function fillSlots(value: TomlValue, texts: ReadonlyMap<string, string>): TomlValue {
  if (typeof value === "string") return texts.get(value) ?? value;
  if (typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map((each: TomlValue) => fillSlots(each, texts));
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, each === undefined ? each : fillSlots(each, texts)]),
  );
}

/**
 * Why a secret cannot be written: hooklatch drops white space around it, and reads some texts as references. Null where
 * it can.
 *
 * @param isInFile whether it gets a file of its own.
 */
export function findSecretProblem({ secret }: Slot, isInFile: boolean): string | null {
  if (secret.kind === "reference") return null;
  const { text } = secret;
  if (text.trim() !== text) return "its secret begins or ends with white space, which hooklatch removes";
  const isReference =
    /^(?:env|file|credential):/.test(text) || /^(?:\$\w+|\$\{.*\}|\{\$.*\}|\{\{.*\}\})$/s.test(text);
  if (isInFile || !isReference) return null;
  return "its secret looks like a reference to another one: use --output, which writes it to a file";
}
