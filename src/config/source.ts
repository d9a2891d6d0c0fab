import { type TProperties, Type } from "@sinclair/typebox";
import type { Provider } from "../domain/provider.ts";
import type { AllowedSenders, Answer, Source } from "../domain/source.ts";
import { isAddressRange, parseRange } from "../lib/ip-address.ts";
import { findNearest } from "../lib/text.ts";
import { type Environment, isSet, type ReadContext } from "./read/context.ts";
import {
  child,
  describeChoice,
  formatValue,
  isTable,
  type Place,
  quoteList,
  variable,
} from "./read/issues.ts";
import { checkUnique, explainUnknownKey, extendTable, readTable } from "./read/table.ts";
import { SourceTable } from "./schema.ts";
import type { GeneratedSecret } from "./secrets.ts";
import {
  isListOption,
  readSourceOptions,
  type SourceContext,
  type SourceOptions,
  sourceOptionKeys,
  type WrittenSource,
} from "./source-options.ts";
import type { TargetSettings } from "./target-schema.ts";

/** A source after its check. Its faults are reported. */
export interface CheckedSource {
  readonly place: Place;
  readonly name: string | undefined;
  readonly path: string | undefined;
  readonly provider: Provider | undefined;
  /** Where its repositories are; undefined when the source has faults. */
  readonly forge: Forge | undefined;
  readonly generated: readonly GeneratedSecret[];
  /** The secrets that its senders use. */
  readonly secrets: SourceOptions["secrets"];
  /** Undefined when it has faults. `print` is null when it is not written. */
  readonly source: (Omit<Source, "print"> & { readonly print: boolean | null }) | undefined;
}

/**
 * The sources of a server without configured ones, as they would be written. Without its variable a secret is left out,
 * and generated later.
 */
export function writeDefaultSources(
  providers: readonly Provider[],
  environment: Environment,
): readonly WrittenSource[] {
  const sources = providers.flatMap((provider) =>
    provider.defaultSource === undefined ? [] : [{ provider, ...provider.defaultSource }],
  );
  return sources.map(({ provider, name, path, secretVariable }, index) => {
    const place = { file: "defaults", path: `source[${index}]` };
    const table = { name, provider: provider.name, path };
    if (!isSet(secretVariable, environment)) return { table, place };
    const key = provider.generatedSecret;
    const reference = `env:${secretVariable}`;
    const setting = isListOption(provider, key) ? [reference] : reference;
    return { table: { ...table, [key]: setting }, place, secretPlace: variable(secretVariable) };
  });
}

/** The addresses of repositories and whether CI is reported, see {@link Provider}. */
interface Forge {
  readonly cloneUrl: (repository: string) => string | null;
  readonly commitPath: (repository: string) => string | null;
  readonly reportsCi: boolean;
}

/** Checks every source, and that names and paths are unique. */
export function readSources(
  written: readonly WrittenSource[],
  context: SourceContext,
): readonly CheckedSource[] {
  const sources = written.map((source) => readSource(source, context));
  for (const key of ["name", "path"] as const) checkUnique(key, "source", sources, context.issues);
  return sources;
}

/**
 * Finds the source that a target names, else the only one that fits: of those whose deliveries report pushes when the
 * target has a repository. Returns undefined when there is not exactly one, which is a fault unless a faulty source
 * causes it.
 */
export function findSource(
  target: TargetSettings,
  sources: readonly CheckedSource[],
  { issues }: ReadContext,
): CheckedSource | undefined {
  const place = child(target.place, "source");
  const areNamed = sources.length > 0 && sources.every(({ name }) => name !== undefined);
  const namesOf = (some: readonly CheckedSource[]) => some.flatMap(({ name }) => name ?? []);
  if (target.has("source")) {
    const { source } = target.values;
    const found = sources.filter(({ name }) => name === source);
    if (found.length === 1) return found[0];
    if (areNamed && source !== undefined && found.length === 0) {
      issues.fault(place, describeChoice("the sources ", namesOf(sources), source));
    }
    return undefined;
  }
  const reporting = target.has("repository") ? sources.filter(({ provider }) => provider?.reportsPushes) : [];
  const fitting = reporting.length > 0 ? reporting : sources;
  if (fitting.length === 1) return fitting[0];
  // Without a valid provider it is unknown whether a source fits.
  if (areNamed && sources.every(({ provider }) => provider !== undefined)) {
    issues.fault(place, `several sources match (${quoteList(namesOf(fitting))}): name one of them`);
  }
  return undefined;
}

function readSource(written: WrittenSource, context: SourceContext): CheckedSource {
  const { table: raw, place } = written;
  const { providers, issues } = context;
  const provider = isTable(raw) ? providers.find(({ name }) => name === raw.provider) : undefined;
  const schema = extendTable(SourceTable, provider ? sourceOptionKeys(provider) : anyOptions(providers));
  const table = readTable(schema, raw, place, issues, (key, known) =>
    explainKey(key, known, provider, providers),
  );
  const { name, path, provider: named, print = null } = table.values;
  const keepHeaders = readKeptHeaders(table.values.keep_headers, child(place, "keep_headers"), context);
  if (named !== undefined && provider === undefined) {
    const names = providers.map((known) => known.name);
    issues.fault(child(place, "provider"), describeChoice("", names, named));
  }
  if (path === "/healthz") issues.fault(child(place, "path"), "/healthz is reserved: choose another path");
  const answer = readAnswer(table.values, place, provider, context);
  const allow = readAllowedSenders(table.values.allow, child(place, "allow"), context);
  const options = provider && readSourceOptions(provider, table, written.secretPlace, context);
  const { generated = [], secrets = [] } = options ?? {};
  const forge =
    provider && options?.valid && table.isValid(Object.keys(provider.options.properties))
      ? {
          cloneUrl: (repository: string) => provider.cloneUrl(repository, options.values),
          commitPath: (repository: string) => provider.commitPath?.(repository, options.values) ?? null,
          reportsCi: provider.reportsCi?.(options.values) ?? false,
        }
      : undefined;
  const checked = { place, name, path, provider, forge, generated, secrets };
  if (!table.isValid() || !options?.valid || !provider || name === undefined || path === undefined) {
    return { ...checked, source: undefined };
  }
  const handler = provider.createHandler(options.values);
  rejectCredentials(keepHeaders, handler.credentialHeaders, child(place, "keep_headers"), context);
  const onRedelivery = table.values.on_redelivery ?? provider.onRedelivery;
  return {
    ...checked,
    source: { name, provider: provider.name, path, handler, keepHeaders, answer, print, onRedelivery, allow },
  };
}

/** The options of all providers, unchecked, for a source whose provider is unknown. */
function anyOptions(providers: readonly Provider[]): TProperties {
  const keys = providers.flatMap(({ options }) => Object.keys(options.properties));
  return Object.fromEntries(keys.map((key) => [key, Type.Optional(Type.Unknown())]));
}

function explainKey(
  key: string,
  known: readonly string[],
  provider: Provider | undefined,
  providers: readonly Provider[],
): string {
  const owner = providers.find(({ options }) => Object.hasOwn(options.properties, key));
  if (owner === undefined || provider === undefined) return explainUnknownKey(key, known);
  return `unknown key: it is for provider "${owner.name}", not for "${provider.name}"`;
}

/** Headers that the server sets itself, or that control the connection. */
export const RESERVED_HEADERS: readonly string[] = [
  "connection",
  "content-encoding",
  "content-length",
  "date",
  "keep-alive",
  "set-cookie",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

function readAnswer(
  { wait, response }: { readonly wait?: number | undefined; readonly response?: FixedAnswer | undefined },
  place: Place,
  provider: Provider | undefined,
  { issues }: ReadContext,
): Answer {
  for (const [key, value] of Object.entries({ wait, response })) {
    if (value === undefined || provider === undefined || provider.hasReadingSenders) continue;
    issues.fault(child(place, key), `senders of provider "${provider.name}" do not read it: remove this key`);
  }
  if (response === undefined)
    return wait === undefined ? { kind: "receipt" } : { kind: "wait", milliseconds: wait };
  if (wait !== undefined) issues.fault(child(place, "response"), 'set "wait" or "response", not both');
  const { status, headers, body } = response;
  for (const name of Object.keys(headers)) {
    if (!RESERVED_HEADERS.includes(name.toLowerCase())) continue;
    issues.fault(child(child(child(place, "response"), "headers"), name), "the server sets it: remove it");
  }
  if ([204, 205].includes(status) && body !== "") {
    issues.fault(
      child(child(place, "response"), "body"),
      `a response ${status} has no body: remove one of them`,
    );
  }
  return Object.freeze({ kind: "fixed", status, headers: Object.freeze(headers), body });
}

type FixedAnswer = Omit<Extract<Answer, { kind: "fixed" }>, "kind">;

/** Names of headers that hold credentials, of any sender. An idempotency key is an id. */
const CREDENTIAL =
  /(?:^|[-_])(?:auth|authorization|authentication|cookie2?|credentials?|hmac|jwt|(?<!idempotency-)key|apikey|passw(?:or)?d|secret|session|sig|sign|signature(?:-?256)?|token)(?:$|[-_])/;

/** Whether a header may hold a credential, by its name in lower case. Such a header is never stored. */
export function isCredentialHeader(name: string): boolean {
  return CREDENTIAL.test(name);
}

/** Reads `keep_headers` as lower-case names. One that may hold a credential is a fault. */
function readKeptHeaders(names: readonly string[], place: Place, context: ReadContext): readonly string[] {
  const kept = names.map((name) => name.toLowerCase());
  rejectCredentials(kept, kept.filter(isCredentialHeader), place, context);
  return Object.freeze([...new Set(kept)]);
}

function rejectCredentials(
  names: readonly string[],
  credentials: readonly string[],
  place: Place,
  { issues }: ReadContext,
): void {
  for (const [index, name] of names.entries()) {
    if (!credentials.includes(name)) continue;
    const problem = `the header ${formatValue(name)} may hold a credential, which is never stored`;
    issues.fault(child(place, index), problem);
  }
}

/** Reads `allow`; null when it is not written. An entry is a range or the name of a provider that publishes ranges. */
function readAllowedSenders(
  written: readonly string[] | undefined,
  place: Place,
  { providers, issues }: SourceContext,
): AllowedSenders | null {
  if (written === undefined) return null;
  const lists = providers.flatMap(({ name, publishedRanges }) => (publishedRanges ? [name] : []));
  for (const [index, entry] of written.entries()) {
    if (isAddressRange(entry) || lists.includes(entry)) continue;
    const expected = new Intl.ListFormat("en", { type: "disjunction" }).format([
      "an IP address",
      'a range such as "192.0.2.0/24"',
      ...lists.map((list) => formatValue(list)),
    ]);
    const hint = suggestList(entry, lists);
    issues.fault(child(place, index), `expected ${expected}, found ${formatValue(entry)}${hint}`);
  }
  return Object.freeze({
    ranges: Object.freeze(written.filter(isAddressRange).map(parseRange)),
    published: Object.freeze(lists.filter((list) => written.includes(list))),
  });
}

function suggestList(entry: string, lists: readonly string[]): string {
  if (lists.length === 0) return "";
  const { word, isLikely } = findNearest(entry, lists);
  return isLikely ? `: did you mean ${formatValue(word)}?` : "";
}
