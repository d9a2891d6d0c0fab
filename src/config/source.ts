import type { TObject } from "@sinclair/typebox";
import type { Provider } from "../domain/provider.ts";
import { PUBLISHED_LISTS } from "../domain/published-ranges.ts";
import type { AllowedSenders, Source } from "../domain/source.ts";
import { isAddressRange, parseRange } from "../lib/ip-address.ts";
import { findNearest } from "../lib/text.ts";
import type { ReadContext } from "./read/context.ts";
import { child, type Place } from "./read/issues.ts";
import { checkUnique } from "./read/limits.ts";
import { explainUnknownKey, formatValue, isTable, readTable } from "./read/table.ts";
import { SourceTable, type TargetSection } from "./schema.ts";
import type { GeneratedSecret } from "./secrets.ts";
import { readSourceOptions } from "./source-options.ts";

/** One `[[source]]` as it is written, or one of the defaults. */
export interface WrittenSource {
  readonly table: unknown;
  readonly place: Place;
  /** Where faults of its secrets are told; undefined where the secrets stand in the table itself. */
  readonly secretPlace?: Place | undefined;
}

/** A source after its check. What is wrong with it was reported. */
export interface ReadSource {
  readonly place: Place;
  readonly name: string | undefined;
  readonly path: string | undefined;
  readonly provider: Provider | undefined;
  readonly generated: readonly GeneratedSecret[];
  /** The source itself; undefined when something is wrong. Where `print` is not written, it is `printByDefault`. */
  complete(printByDefault: boolean): Source | undefined;
}

/** What sources are read with. */
export interface SourceTools {
  readonly providers: readonly Provider[];
  /** Where secrets of our own making are kept. */
  readonly dataDir: string;
  readonly ground: ReadContext;
}

/** Checks every source, and that no two have the same name or path. */
export function readSources(written: readonly WrittenSource[], tools: SourceTools): readonly ReadSource[] {
  const read = written.map((source) => readSource(source, tools));
  for (const key of ["name", "path"] as const) {
    const claims = read.map((source) => ({ place: source.place, value: source[key] }));
    checkUnique(key, "source", claims, tools.ground.report);
  }
  return read;
}

/**
 * The source that a target names, or the only one that fits it: with a repository those that tell of pushes,
 * else all. Undefined when there is not exactly one, which is a fault unless it follows from a faulty source.
 */
export function findSource(
  section: TargetSection,
  sources: readonly ReadSource[],
  { report }: ReadContext,
): ReadSource | undefined {
  const place = child(section.place, "source");
  const isNamed = sources.length > 0 && sources.every(({ name }) => name !== undefined);
  const namesOf = (some: readonly ReadSource[]) => some.map(({ name }) => formatValue(name)).join(", ");
  if (section.has("source")) {
    const { source } = section.values;
    const found = sources.filter(({ name }) => name === source);
    if (found.length === 1) return found[0];
    if (isNamed && source !== undefined && found.length === 0) {
      const known = namesOf(sources);
      report.fault(place, `expected one of the sources ${known}, found ${formatValue(source)}`);
    }
    return undefined;
  }
  const telling = section.has("repository") ? sources.filter(({ provider }) => provider?.reportsPushes) : [];
  const fitting = telling.length > 0 ? telling : sources;
  if (fitting.length === 1) return fitting[0];
  // Which ones fit is known only when each says what it is.
  if (isNamed && sources.every(({ provider }) => provider !== undefined)) {
    const several = namesOf(fitting);
    report.fault(place, `expected the name of a source, because several fit (${several}), found nothing`);
  }
  return undefined;
}

function readSource(written: WrittenSource, tools: SourceTools): ReadSource {
  const { table, place } = written;
  const { providers, ground } = tools;
  const provider = isTable(table) ? providers.find(({ name }) => name === table.provider) : undefined;
  const ownKeys = (provider ? [provider] : providers).flatMap(({ options }) => keysOf(options));
  const { own, common } = splitTable(table, ownKeys);
  const section = readTable(SourceTable, common, place, ground.report, (key, known) =>
    explainKey(key, [...known, ...ownKeys], provider, providers),
  );
  const { name, path, print, on_redelivery: onRedelivery = "run" } = section.values;
  checkProvider(section.values.provider, provider, tools, place);
  checkPath(path, place, ground);
  const allow = readAllowedSenders(section.values.allow, child(place, "allow"), ground);
  const options = provider && readSourceOptions(provider, own, { ...written, name }, tools);

  return {
    place,
    name,
    path,
    provider,
    generated: options?.generated ?? [],
    complete: (printByDefault) => {
      if (!section.sound || !options?.sound || !provider || name === undefined || path === undefined)
        return undefined;
      const handler = provider.createHandler(options.values);
      return Object.freeze({
        name,
        provider: provider.name,
        path,
        handler,
        print: print ?? printByDefault,
        onRedelivery,
        allow,
      });
    },
  };
}

function checkProvider(
  written: string | undefined,
  provider: Provider | undefined,
  { providers, ground }: SourceTools,
  place: Place,
): void {
  if (written === undefined || provider !== undefined) return;
  const known = providers.map(({ name }) => formatValue(name)).join(", ");
  ground.report.fault(child(place, "provider"), `expected one of ${known}, found ${formatValue(written)}`);
}

function checkPath(path: string | undefined, place: Place, { report }: ReadContext): void {
  if (path !== "/healthz") return;
  report.fault(child(place, "path"), 'expected another path than the server\'s own, found "/healthz"');
}

/** The keys that belong to the provider, and the rest. What is no table is left to the check of the rest. */
function splitTable(table: unknown, ownKeys: readonly string[]) {
  if (!isTable(table)) return { own: {}, common: table };
  const entries = Object.entries(table);
  return {
    own: Object.fromEntries(entries.filter(([key]) => ownKeys.includes(key))),
    common: Object.fromEntries(entries.filter(([key]) => !ownKeys.includes(key))),
  };
}

function explainKey(
  key: string,
  known: readonly string[],
  provider: Provider | undefined,
  providers: readonly Provider[],
): string {
  const owner = providers.find(({ options }) => keysOf(options).includes(key));
  if (owner === undefined || provider === undefined) return explainUnknownKey(key, known);
  return `unknown key ${formatValue(key)}: it is for provider "${owner.name}", not for "${provider.name}"`;
}

function keysOf(options: TObject): string[] {
  return Object.keys(options.properties);
}

/** Words for faults. */
export const EXPECTED_SENDER = 'an IP address, a range such as "192.0.2.0/24", or "github"';

/** Reads a source's `allow`; null where it is not written. What is neither a range nor a known list is a fault. */
export function readAllowedSenders(
  written: readonly string[] | undefined,
  place: Place,
  { report }: ReadContext,
): AllowedSenders | null {
  if (written === undefined) return null;
  for (const [index, entry] of written.entries()) {
    if (isAddressRange(entry) || PUBLISHED_LISTS.some((list) => list === entry)) continue;
    report.fault(
      child(place, index),
      `expected ${EXPECTED_SENDER}, found ${formatValue(entry)}${hint(entry)}`,
    );
  }
  return Object.freeze({
    ranges: Object.freeze(written.filter(isAddressRange).map(parseRange)),
    published: Object.freeze(PUBLISHED_LISTS.filter((list) => written.includes(list))),
  });
}

/** Asks whether a list was meant. */
function hint(entry: string): string {
  const { word, isLikely } = findNearest(entry, PUBLISHED_LISTS);
  return isLikely ? `: did you mean ${formatValue(word)}?` : "";
}
