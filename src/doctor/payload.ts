import { randomBytes } from "node:crypto";
import type { Config } from "../config/load.ts";
import { describeOutcome } from "../domain/ci.ts";
import { selectHeaders } from "../domain/delivery.ts";
import { actionOf, type Event, nameOf } from "../domain/event.ts";
import { type Decision, findDecisiveEvent, matchTarget } from "../domain/match.ts";
import type { ParseResult } from "../domain/provider.ts";
import { createRuleValues, type ReadRuleValues, readPayloadEnvironment } from "../domain/rule.ts";
import type { Source } from "../domain/source.ts";
import type { Target } from "../domain/target.ts";
import { createRouter } from "../flow/route-delivery.ts";
import type { Clock } from "../lib/clock.ts";
import { AppError } from "../lib/errors.ts";
import { Secret } from "../lib/secret.ts";
import { quote, shortenCommit } from "../lib/text.ts";
import { providers } from "../providers/index.ts";
import { type CheckResult, fail, ok } from "./check-result.ts";

/** A payload from a file, as if a sender had sent it. */
export interface PayloadSample {
  readonly json: Uint8Array;
  /** The provider's name of the event. */
  readonly event: string;
  /** The name of the source that gets it; undefined for the only one. */
  readonly source?: string;
  /** Further headers of the request. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/**
 * Explains what a payload would deploy, one line for each target of the source: which rule holds it back, or the values
 * that its commands would get. Locks and what needs the repository are not considered. Throws an {@link AppError}
 * `configuration` when the source is not clear.
 */
export function explainPayload(config: Config, sample: PayloadSample, clock: Clock): readonly CheckResult[] {
  const source = findSource(config, sample.source);
  const { headers, parsed } = parseSample(source, clock.now(), sample);
  if (parsed.kind === "unreadable") return [fail(`source ${source.name}: ${parsed.reason}`)];
  if (parsed.kind === "challenge") {
    return [ok(`source ${source.name}: a test of the URL, which is answered and not stored`)];
  }
  const { events, json } = parsed;
  const targets = config.targets.filter((target) => target.source === source.name);
  const readValues = createRuleValues(json, headers);
  const route = createRouter({
    targetsOf: () => targets,
    locks: { of: () => null, version: () => 0 },
    clock,
  });
  const { decisions } = route(source, events, readValues);
  return [
    ...events.map((event) => ok(`source ${source.name}: ${describeEvent(event)}`)),
    ...targets.map((target) => {
      // The router omits the targets that the events are not about.
      const match = matchTarget(events, target);
      const decision = decisions.find((each) => each.target === target.name) ?? match.decision;
      return explainTarget(target, decision, findDecisiveEvent(events, target), readValues);
    }),
  ];
}

function findSource({ sources }: Config, name: string | undefined): Source {
  const names = sources.map((source) => source.name).join(", ");
  const [source, ...others] = sources.filter((each) => name === undefined || each.name === name);
  if (source === undefined)
    throw new AppError("configuration", `no source ${name}; the sources are ${names}`);
  if (others.length === 0) return source;
  throw new AppError("configuration", `name the source that gets the payload with --source: ${names}`);
}

/** Composes the request with another secret, because the source's own may not exist yet, and reads it back. */
function parseSample(
  source: Source,
  now: Date,
  { json, event, headers: further }: PayloadSample,
): { readonly parsed: ParseResult; readonly headers: Readonly<Record<string, string>> } {
  const provider = providers.find(({ name }) => name === source.provider);
  if (provider === undefined) throw new Error(`unknown provider ${source.provider}`);
  const value = provider.formatSecret(randomBytes(32));
  const secret = new Secret({ kind: "literal", value });
  secret.load(value);
  const message = { kind: "payload", event, json, deliveryId: "1", form: false } as const;
  const { headers, body } = provider.createHandlerWithSecret(secret).compose(message, {
    path: source.path,
    query: new URLSearchParams(),
    now,
  });
  for (const [name, value] of further) headers.set(name, value);
  const { handler, keepHeaders } = source;
  return {
    parsed: handler.parse({ headers, body }),
    headers: selectHeaders(headers, [...handler.storedHeaders, ...keepHeaders], handler.credentialHeaders),
  };
}

function describeEvent(event: Event): string {
  if (event.kind === "push") {
    const { repository, ref, deleted } = event;
    return `${deleted ? "deletion" : "push"} of ${ref.kind} ${quote(ref.name)} in ${quote(repository)}`;
  }
  if (event.kind === "ci") {
    const { commit, repository } = event;
    return `${describeOutcome(event)} for commit ${shortenCommit(commit)} in ${quote(repository)}`;
  }
  const action = actionOf(event);
  return `event ${quote(action === null ? nameOf(event) : `${nameOf(event)}.${action}`)}`;
}

function explainTarget(
  target: Target,
  decision: Decision | undefined,
  event: Event,
  readValues: ReadRuleValues,
): CheckResult {
  const label = `target ${target.name}`;
  if (decision === undefined) return ok(`${label}: not deployed, because the event is not about it`);
  const { deploy, code, reason } = decision;
  if (!deploy) return ok(`${label}: not deployed (${code}): ${reason}`);
  const environment = readPayloadEnvironment(target, () => readValues(event));
  if (environment.kind === "invalid") {
    return fail(`${label}: would be deployed and fail: ${environment.reason}`);
  }
  const condition = target.when === null ? "" : `; when is true: ${quote(target.when.text)}`;
  const variables = Object.keys(target.payloadEnv).map((name) => {
    const value = environment.variables[name];
    return value === undefined ? `; ${name} is not set` : `; ${name}=${quote(value)}`;
  });
  const isGated = target.waitForCi !== null && event.kind === "ci";
  const commit = isGated ? ` at commit ${shortenCommit(event.commit)}, unless something newer is live` : "";
  return ok(`${label}: would be deployed${commit}${condition}${variables.join("")}`);
}
