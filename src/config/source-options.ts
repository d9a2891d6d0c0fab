import type { TObject, TProperties } from "@sinclair/typebox";
import type { Provider } from "../domain/provider.ts";
import type { Secret } from "../lib/secret.ts";
import { type ReadContext, readVariable } from "./read/context.ts";
import { child, type Place, variable } from "./read/issues.ts";
import { addOrigin, type CheckedTable, type WrittenTable } from "./read/table.ts";
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
  /** Every secret in the values, and the option that it belongs to. */
  readonly secrets: readonly { readonly option: string; readonly secret: Secret }[];
  readonly generated: readonly GeneratedSecret[];
}

/**
 * Takes the provider's own keys from the table of a source, loads their secrets, and finds the generated one.
 *
 * @param secretPlace the place of issues with secrets that the table does not hold itself.
 */
export function readSourceOptions(
  provider: Provider,
  table: CheckedTable<TObject>,
  secretPlace: Place | undefined,
  context: SourceContext,
): SourceOptions {
  const { place } = table;
  const keys = Object.keys(provider.options.properties);
  const written = Object.fromEntries(Object.entries(table.values).filter(([key]) => keys.includes(key)));
  const origin = describeIssuedSecret(provider);
  const hint = origin === null ? "" : `: ${origin}`;
  for (const [secret, at] of findSecrets(written, place)) {
    loadSecret(secret, secretPlace ?? at, context, hint);
  }
  // An invalid key would cause further faults here, which only repeat the first.
  const faults = table.isValid(keys) ? provider.checkOptions(written) : [];
  for (const { path, message } of faults) context.issues.fault(path.reduce(child, place), message);
  const configured = { ...written, ...readVariables(provider, table, context) };
  const generated = findOwnSecret(provider, table, configured, context);
  const values = { ...configured, ...generated?.setting };
  return {
    valid: faults.length === 0,
    values,
    secrets: Object.entries(values).flatMap(([option, value]) =>
      findSecrets(value, place).map(([secret]) => ({ option, secret })),
    ),
    generated: generated === null ? [] : [generated.secret],
  };
}

/** The provider's keys for the schema of its sources. */
export function sourceOptionKeys(provider: Provider): TProperties {
  const { options, generatedSecret: key } = provider;
  const secret = options.properties[key];
  if (secret === undefined) return options.properties;
  const origin = describeIssuedSecret(provider);
  return origin === null ? options.properties : { ...options.properties, [key]: addOrigin(secret, origin) };
}

/** Where a missing secret comes from; null where a person chooses it. */
function describeIssuedSecret({ webhookForm }: Provider): string | null {
  const { sender, issuedSecret } =
    webhookForm?.({ url: "", secrets: {}, repository: null, waitsForCi: false }) ?? {};
  return issuedSecret === undefined ? null : `${sender} shows it as ${issuedSecret}`;
}

/** Options that the table leaves out, from the provider's environment variables. */
function readVariables(
  { variables = [] }: Provider,
  { has }: CheckedTable<TObject>,
  context: SourceContext,
): Readonly<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const { name, option, parse } of variables) {
    const text = has(option) ? undefined : readVariable(name, context);
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
  { has, values: { name: source } }: CheckedTable<TObject>,
  options: Readonly<Record<string, unknown>>,
  context: SourceContext,
): { readonly secret: GeneratedSecret; readonly setting: Readonly<Record<string, unknown>> } | null {
  const key = provider.generatedSecret;
  if (typeof source !== "string" || has(key) || !provider.needsGeneratedSecret(options)) {
    return null;
  }
  const isList = isListOption(provider, key);
  const what = `${nameSecret(provider).replaceAll("_", " ")} of source ${source}`;
  const name = generatedSecretFile(provider, source);
  const secret = findGeneratedSecret(
    { what, source, name, format: provider.formatSecret },
    context.dataDir,
    context,
  );
  return { secret, setting: { [key]: isList ? [secret.secret] : secret.secret } };
}

/** The name of the file with the generated secret of a source. */
export function generatedSecretFile(provider: Provider, source: string): string {
  return `${source}.${nameSecret(provider).replaceAll("_", "-")}`;
}

/** The key of the provider's secret in the singular. */
function nameSecret(provider: Provider): string {
  const key = provider.generatedSecret;
  return isListOption(provider, key) ? key.replace(/s$/, "") : key;
}

/** Whether an option of a provider takes a list. */
export function isListOption({ options }: Provider, key: string): boolean {
  return options.properties[key]?.type === "array";
}
