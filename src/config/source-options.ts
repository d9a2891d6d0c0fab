import type { Provider } from "../domain/provider.ts";
import type { Secret } from "../lib/secret.ts";
import { type ReadContext, readVariable } from "./read/context.ts";
import { child, type Place, variable } from "./read/issues.ts";
import { readTable, type WrittenTable } from "./read/table.ts";
import { findGeneratedSecret, findSecrets, type GeneratedSecret, loadSecret } from "./secrets.ts";

/** How sources are read. */
export interface SourceContext extends ReadContext {
  readonly providers: readonly Provider[];
  /** The directory of generated secrets. */
  readonly dataDir: string;
}

/** One `[[source]]` as it is written, or a default source. */
export interface WrittenSource extends WrittenTable {
  /** The place of issues with its secrets; undefined for the table itself. */
  readonly secretPlace?: Place | undefined;
}

/** A provider's own settings in one source, checked. */
export interface SourceOptions {
  readonly valid: boolean;
  readonly values: Readonly<Record<string, unknown>>;
  /** Every secret in the values. */
  readonly secrets: readonly Secret[];
  readonly generated: readonly GeneratedSecret[];
}

/** Checks the keys that belong to the provider, loads their secrets, and finds the generated one. */
export function readSourceOptions(
  provider: Provider,
  written: Readonly<Record<string, unknown>>,
  { name, place, secretPlace }: Omit<WrittenSource, "table"> & { readonly name: string | undefined },
  context: SourceContext,
): SourceOptions {
  const table = readTable(provider.options, written, place, context.issues);
  for (const [secret, at] of findSecrets(table.values, place)) loadSecret(secret, secretPlace ?? at, context);
  // An invalid key would cause further faults here, which only repeat the first.
  const faults = table.valid ? provider.checkOptions(table.values) : [];
  for (const { path, message } of faults) context.issues.fault(path.reduce(child, place), message);
  const configured = { ...table.values, ...readVariables(provider, written, context) };
  const generated = findOwnSecret(provider, written, configured, name, context);
  const values = { ...configured, ...generated?.setting };
  return {
    valid: table.valid && faults.length === 0,
    values,
    secrets: findSecrets(values, place).map(([secret]) => secret),
    generated: generated === null ? [] : [generated.secret],
  };
}

/** Options that the table leaves out, from the provider's environment variables. */
function readVariables(
  { variables = [] }: Provider,
  written: Readonly<Record<string, unknown>>,
  context: SourceContext,
): Readonly<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const { name, option, parse } of variables) {
    const text = written[option] === undefined ? readVariable(name, context) : undefined;
    if (text === undefined) continue;
    const parsed = parse(text);
    if (parsed.kind === "invalid") context.issues.fault(variable(name), parsed.message);
    else found[option] = parsed.value;
  }
  return found;
}

/** The generated secret and its option; null when the source needs none, or has one in its table. */
function findOwnSecret(
  provider: Provider,
  written: Readonly<Record<string, unknown>>,
  values: Readonly<Record<string, unknown>>,
  source: string | undefined,
  context: SourceContext,
): { readonly secret: GeneratedSecret; readonly setting: Readonly<Record<string, unknown>> } | null {
  const key = provider.generatedSecret;
  if (source === undefined || Object.hasOwn(written, key) || !provider.needsGeneratedSecret(values))
    return null;
  const isList = isListOption(provider, key);
  const singular = isList ? key.replace(/s$/, "") : key;
  const what = `${singular.replaceAll("_", " ")} of source ${source}`;
  const name = `${source}.${singular.replaceAll("_", "-")}`;
  const secret = findGeneratedSecret({ what, source, name }, context.dataDir, context);
  return { secret, setting: { [key]: isList ? [secret.secret] : secret.secret } };
}

/** Whether an option of a provider takes a list. */
export function isListOption({ options }: Provider, key: string): boolean {
  return options.properties[key]?.type === "array";
}
