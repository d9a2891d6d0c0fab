import type { Provider } from "../domain/provider.ts";
import { Secret } from "../domain/secret.ts";
import { readClientTimeout } from "./client-timeout.ts";
import { type Place, under } from "./finding.ts";
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
  const section = readTable(provider.options, fillIn(provider, written, ground), source.place, ground.report);
  const values: Record<string, unknown> = { ...section.values };
  for (const [key, value] of Object.entries(values)) {
    for (const [secret, place] of secretsIn(value, under(source.place, key))) {
      loadSecret(secret, source.secretPlace ?? place, ground);
    }
  }
  if (typeof values.client_timeout === "number") {
    limitDuration(values.client_timeout, LONGEST_AGE, under(source.place, "client_timeout"), ground);
  }
  if (source.name === undefined || Object.hasOwn(written, provider.generatedSecret)) {
    return { sound: section.sound, values, generated: [] };
  }
  const { setting, generated } = provideSecret(provider, source.name, dataDir, ground);
  return {
    sound: section.sound,
    values: { ...values, [provider.generatedSecret]: setting },
    generated: [generated],
  };
}

/** Adds what the environment says where the table is silent. */
function fillIn(provider: Provider, written: Readonly<Record<string, unknown>>, ground: Ground) {
  const wanted =
    Object.hasOwn(provider.options.properties, "client_timeout") && written.client_timeout === undefined;
  const timeout = wanted ? readClientTimeout(ground) : undefined;
  return timeout === undefined ? written : { ...written, client_timeout: timeout };
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

function secretsIn(value: unknown, place: Place): (readonly [Secret, Place])[] {
  if (value instanceof Secret) return [[value, place]];
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry, index) => secretsIn(entry, under(place, index)));
}
