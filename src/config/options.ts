import type { Provider } from "../domain/provider.ts";
import { Secret } from "../domain/secret.ts";
import { readClientTimeout } from "./client-timeout.ts";
import { type Place, under } from "./finding.ts";
import { isTable } from "./found.ts";
import type { Ground } from "./ground.ts";
import { LONGEST_AGE, limitDuration } from "./limit.ts";
import { type GeneratedSecret, keepSecret, loadSecret } from "./secret.ts";
import { readTable } from "./section.ts";

/** A provider's own settings in one source, after their check. What is wrong with them was reported. */
export interface ReadOptions {
  readonly sound: boolean;
  readonly values: Readonly<Record<string, unknown>>;
  readonly generated: readonly GeneratedSecret[];
}

/** Checks the keys that belong to the provider, loads their secrets, and provides the one that is left out. */
export function readOptions(
  provider: Provider,
  written: Readonly<Record<string, unknown>>,
  source: {
    readonly name: string | undefined;
    readonly place: Place;
    readonly secretPlace?: Place | undefined;
  },
  { dataDir, ground }: { readonly dataDir: string; readonly ground: Ground },
): ReadOptions {
  const section = readTable(provider.options, written, source.place, ground.report);
  for (const [secret, place] of secretsIn(section.values, source.place)) {
    loadSecret(secret, source.secretPlace ?? place, ground);
  }
  // What one key has wrong would only be told again by what it does to others.
  const faults = section.sound ? provider.check(section.values) : [];
  for (const { path, message } of faults) ground.report.fault(path.reduce(under, source.place), message);
  const sound = section.sound && faults.length === 0;
  if (typeof section.values.client_timeout === "number") {
    limitDuration(section.values.client_timeout, LONGEST_AGE, under(source.place, "client_timeout"), ground);
  }
  const values = { ...section.values, ...fillIn(provider, written, ground) };
  const isWritten = Object.hasOwn(written, provider.generatedSecret);
  if (source.name === undefined || isWritten || !provider.generates(values)) {
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
function fillIn(provider: Provider, written: Readonly<Record<string, unknown>>, ground: Ground) {
  const wanted =
    Object.hasOwn(provider.options.properties, "client_timeout") && written.client_timeout === undefined;
  const timeout = wanted ? readClientTimeout(ground) : undefined;
  return timeout === undefined ? {} : { client_timeout: timeout };
}

function provideSecret(provider: Provider, source: string, dataDir: string, ground: Ground) {
  const key = provider.generatedSecret;
  const isList = provider.options.properties[key]?.type === "array";
  const one = isList ? key.replace(/s$/, "") : key;
  const what = `${one.replaceAll("_", " ")} of source ${source}`;
  const name = `${source}.${one.replaceAll("_", "-")}`;
  const generated = keepSecret({ what, source, name }, dataDir, ground);
  const setting = isList ? [generated.secret] : generated.secret;
  return { setting, generated };
}

/** Every secret in a setting, however deep, and where it stands. */
function secretsIn(value: unknown, place: Place): (readonly [Secret, Place])[] {
  if (value instanceof Secret) return [[value, place]];
  if (Array.isArray(value)) return value.flatMap((entry, index) => secretsIn(entry, under(place, index)));
  if (!isTable(value)) return [];
  return Object.entries(value).flatMap(([key, entry]) => secretsIn(entry, under(place, key)));
}
