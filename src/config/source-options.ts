import type { Provider } from "../domain/provider.ts";
import { Secret } from "../lib/secret.ts";
import { type ReadContext, readVariable } from "./read/context.ts";
import { child, type Place, variable } from "./read/issues.ts";
import { LONGEST_AGE, limitDuration } from "./read/limits.ts";
import { formatValue, isTable, readTable } from "./read/table.ts";
import { type GeneratedSecret, loadSecret, storeSecret } from "./secrets.ts";

/** A provider's own settings in one source, after their check. What is wrong with them was reported. */
export interface ReadOptions {
  readonly sound: boolean;
  readonly values: Readonly<Record<string, unknown>>;
  readonly generated: readonly GeneratedSecret[];
}

/** Checks the keys that belong to the provider, loads their secrets, and provides the one that is left out. */
export function readSourceOptions(
  provider: Provider,
  written: Readonly<Record<string, unknown>>,
  source: {
    readonly name: string | undefined;
    readonly place: Place;
    readonly secretPlace?: Place | undefined;
  },
  { dataDir, ground }: { readonly dataDir: string; readonly ground: ReadContext },
): ReadOptions {
  const section = readTable(provider.options, written, source.place, ground.report);
  for (const [secret, place] of secretsIn(section.values, source.place)) {
    loadSecret(secret, source.secretPlace ?? place, ground);
  }
  // What one key has wrong would only be told again by what it does to others.
  const faults = section.sound ? provider.checkOptions(section.values) : [];
  for (const { path, message } of faults) ground.report.fault(path.reduce(child, source.place), message);
  const sound = section.sound && faults.length === 0;
  if (typeof section.values.client_timeout === "number") {
    limitDuration(section.values.client_timeout, LONGEST_AGE, child(source.place, "client_timeout"), ground);
  }
  const values = { ...section.values, ...fillIn(provider, written, ground) };
  const isWritten = Object.hasOwn(written, provider.generatedSecret);
  if (source.name === undefined || isWritten || !provider.needsGeneratedSecret(values)) {
    return { sound, values, generated: [] };
  }
  const { setting, generated } = provideSecret(provider, source.name, dataDir, ground);
  return {
    sound,
    values: { ...values, [provider.generatedSecret]: setting },
    generated: [generated],
  };
}

/** What the environment says where the table is silent. */
function fillIn(provider: Provider, written: Readonly<Record<string, unknown>>, ground: ReadContext) {
  const wanted =
    Object.hasOwn(provider.options.properties, "client_timeout") && written.client_timeout === undefined;
  const timeout = wanted ? readClientTimeout(ground) : undefined;
  return timeout === undefined ? {} : { client_timeout: timeout };
}

function provideSecret(provider: Provider, source: string, dataDir: string, ground: ReadContext) {
  const key = provider.generatedSecret;
  const isList = provider.options.properties[key]?.type === "array";
  const one = isList ? key.replace(/s$/, "") : key;
  const what = `${one.replaceAll("_", " ")} of source ${source}`;
  const name = `${source}.${one.replaceAll("_", "-")}`;
  const generated = storeSecret({ what, source, name }, dataDir, ground);
  const setting = isList ? [generated.secret] : generated.secret;
  return { setting, generated };
}

/** Every secret in a setting, however deep, and where it stands. */
function secretsIn(value: unknown, place: Place): (readonly [Secret, Place])[] {
  if (value instanceof Secret) return [[value, place]];
  if (Array.isArray(value)) return value.flatMap((entry, index) => secretsIn(entry, child(place, index)));
  if (!isTable(value)) return [];
  return Object.entries(value).flatMap(([key, entry]) => secretsIn(entry, child(place, key)));
}

const NAME = "CLIENT_AUTH_TIMEOUT";

/** `$CLIENT_AUTH_TIMEOUT`, which is in hours, in milliseconds; undefined when it is not set or faulty. */
export function readClientTimeout(ground: ReadContext): number | undefined {
  const text = readVariable(NAME, ground);
  if (text === undefined) return undefined;
  const milliseconds = /^\d{1,6}(?:\.\d{1,9})?$/.test(text) ? Math.round(Number(text) * 3_600_000) : 0;
  if (milliseconds < 1) {
    const found = formatValue(text);
    ground.report.fault(variable(NAME), `expected a number of hours, such as 24 or 0.5, found ${found}`);
    return undefined;
  }
  limitDuration(milliseconds, LONGEST_AGE, variable(NAME), ground);
  return milliseconds;
}
