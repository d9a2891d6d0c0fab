import { isAbsolute, resolve } from "node:path";
import { STORED_HEADERS } from "../domain/delivery.ts";
import { writeAnswer } from "./answer.ts";
import { writeCommand } from "./command.ts";
import { writeCondition } from "./condition.ts";
import { type Hook, isTable } from "./hook.ts";
import { splitRule } from "./proof.ts";
import { type Rule, readRule } from "./rule.ts";
import { createSecretSlots, type Slot } from "./secret-slots.ts";
import { writeSource } from "./source.ts";
import type { Templates } from "./template.ts";
import type { TomlValue } from "./write-toml.ts";

/** A hook in the terms of hooklatch, or why it cannot be translated. */
export type Translation =
  | {
      readonly kind: "translated";
      /** The keys of a source and a target, with slots for the secrets. */
      readonly source: { readonly [key: string]: TomlValue | undefined };
      readonly target: { readonly [key: string]: TomlValue | undefined };
      readonly slots: readonly Slot[];
      readonly provider: string;
      /** Whether senders must show a token that they did not need before. */
      readonly needsToken: boolean;
      /** Whether the condition holds what looks like a secret. */
      readonly showsSecret: boolean;
      readonly warnings: readonly string[];
    }
  | { readonly kind: "impossible"; readonly reasons: readonly string[] };

/** What a translation is about. */
export interface TranslationContext {
  /** The name of the source and the target. */
  readonly name: string;
  /** The path of the source. */
  readonly path: string;
  /** Where commands without a working directory run. Absolute. */
  readonly directory: string;
  readonly templates: Templates;
  readonly createToken: () => string;
}

/** Translates one hook. A rule is translated whole or not at all, so that the hook never accepts more than before. */
export async function translateHook(hook: Hook, context: TranslationContext): Promise<Translation> {
  const obstacles = [...findTemplates(hook, context.templates), ...findObstacles(hook)];
  if (obstacles.length > 0) return { kind: "impossible", reasons: obstacles };
  const rule = hook["trigger-rule"] === undefined ? null : readRule(hook["trigger-rule"]);
  const split = splitRule(rule);
  const slots = createSecretSlots();
  const source = await writeSource(split.proofs, { ...context, slots });
  if (source.kind === "impossible") return { kind: "impossible", reasons: [`its rule ${source.reason}`] };

  const decodedFields = (hook["parse-parameters-as-json"] ?? []).flatMap((parameter) =>
    parameter.source === "payload" ? [parameter.name ?? ""] : [],
  );
  const formField = decodedFields.find((field) => field === source.formField) ?? null;
  const body = { formField, decodedFields };
  const template = findConditionTemplate(split.conditions, context.templates);
  if (template !== null) return { kind: "impossible", reasons: [describeTemplate(template)] };
  const condition = writeCondition(split.conditions, split.isWhole, body);
  if (condition.kind === "impossible") {
    return { kind: "impossible", reasons: [`its rule ${condition.reason}`] };
  }
  const exposed = findExposedSecrets(split.conditions);
  const directory = findDirectory(hook, context);
  const command = writeCommand(hook, directory.isNamed ? directory.path : null, body);
  const answer = writeAnswer(hook, source.provider.hasReadingSenders === true);
  const stored = [...STORED_HEADERS, ...source.provider.createHandler({}).storedHeaders];
  const kept = [...new Set([...condition.headers, ...command.headers])].filter(
    (header) => !stored.includes(header),
  );
  return {
    kind: "translated",
    source: {
      name: context.name,
      provider: source.provider.name,
      path: context.path,
      ...source.settings,
      ...(kept.length > 0 && { keep_headers: kept }),
      ...answer.keys,
    },
    target: {
      name: context.name,
      source: context.name,
      directory: directory.path,
      ...(condition.cel !== "true" && { when: condition.cel }),
      ...command.keys,
    },
    slots: slots.slots,
    provider: source.provider.name,
    needsToken: source.needsToken,
    showsSecret: exposed.length > 0,
    warnings: [
      ...source.warnings,
      ...exposed.map(
        (name) => `the value of payload ${name} is in "when", which the reasons of skipped deliveries show`,
      ),
      ...directory.warnings,
      ...command.warnings,
      ...answer.warnings,
      ...warnOfRequests(hook, decodedFields, formField),
    ],
  };
}

/** Templates outside secrets cannot be expanded. */
function findTemplates(hook: Hook, templates: Templates): readonly string[] {
  const { "trigger-rule": rule, ...others } = hook;
  const found = [...textsIn(others), ...textsIn(rule, ["secret", "value"])].flatMap(
    (text) => templates.find(text) ?? [],
  );
  return [...new Set(found)].map(describeTemplate);
}

/** The first template in a text that a condition compares. */
function findConditionTemplate(conditions: readonly Rule[], templates: Templates): string | null {
  const matches = conditions.flatMap(listMatches);
  const found = matches.flatMap((each) => (each.kind === "value" ? (templates.find(each.value) ?? []) : []));
  return found[0] ?? null;
}

function describeTemplate(template: string): string {
  return `the template ${template} is not expanded: write its value`;
}

function textsIn(value: unknown, except: readonly string[] = []): readonly string[] {
  if (typeof value === "string") return [value];
  if (Array.isArray(value)) return value.flatMap((each) => textsIn(each, except));
  if (!isTable(value)) return [];
  return Object.entries(value).flatMap(([key, each]) => (except.includes(key) ? [] : textsIn(each, except)));
}

/** Requests that no source accepts. */
function findObstacles(hook: Hook): readonly string[] {
  const methods = hook["http-methods"]?.map((method) => method.trim().toUpperCase()) ?? [];
  return methods.length === 0 || methods.includes("POST")
    ? []
    : [`http-methods ${methods.join(", ")}: hooklatch takes deliveries by POST only`];
}

interface Directory {
  readonly path: string;
  readonly isNamed: boolean;
  readonly warnings: readonly string[];
}

function findDirectory(hook: Hook, { directory }: TranslationContext): Directory {
  const written = hook["command-working-directory"] ?? "";
  const path = written === "" ? directory : resolve(directory, written);
  const relative =
    written !== "" && !isAbsolute(written)
      ? [`command-working-directory is relative, and is taken to be ${path}`]
      : [];
  const unnamed =
    written === ""
      ? [`without command-working-directory, the command runs in ${path}, not where webhook was started`]
      : [];
  return { path, isNamed: written !== "", warnings: [...relative, ...unnamed] };
}

/** The quoted names of fields that a condition compares with a text, and that look like secrets. */
function findExposedSecrets(conditions: readonly Rule[]): readonly string[] {
  return conditions
    .flatMap(listMatches)
    .filter(({ parameter: { source, name = "" } }) => {
      return source === "payload" && /token|secret|passw|api_?key/i.test(name);
    })
    .map(({ parameter }) => JSON.stringify(parameter.name));
}

/** The names of all fields of the payload that a hook refers to. */
function listFields(hook: Hook): readonly string[] {
  const parameters = [
    ...(hook["pass-arguments-to-command"] ?? []),
    ...(hook["pass-environment-to-command"] ?? []),
    ...(hook["pass-file-to-command"] ?? []),
    ...(hook["trigger-rule"] === undefined
      ? []
      : listMatches(readRule(hook["trigger-rule"])).map(({ parameter }) => parameter)),
  ];
  return parameters.flatMap(({ source, name = "" }) => (source === "payload" ? [name] : []));
}

/** The comparisons in a rule. */
function listMatches(rule: Rule): readonly Extract<Rule, { kind: "value" | "regex" }>[] {
  switch (rule.kind) {
    case "and":
    case "or":
      return rule.rules.flatMap(listMatches);
    case "not":
      return listMatches(rule.rule);
    case "value":
    case "regex":
      return [rule];
    default:
      return [];
  }
}

/** Differences between the requests that both programs accept, and between their answers. */
function warnOfRequests(
  hook: Hook,
  decodedFields: readonly string[],
  formField: string | null,
): readonly string[] {
  const {
    "incoming-payload-content-type": type = "",
    "trigger-rule-mismatch-http-response-code": mismatch = 0,
    "http-methods": methods = [],
  } = hook;
  const others = methods.map((method) => method.trim().toUpperCase()).filter((method) => method !== "POST");
  const isXml = listFields(hook).some((name) => /(?:^|\.)[-#]/.test(name));
  const undecoded = decodedFields.filter((field) => field !== formField);
  return [
    ...(others.length > 0
      ? [`http-methods: ${others.join(", ")} is answered 405; only POST is accepted`]
      : []),
    ...(type === ""
      ? []
      : [
          `incoming-payload-content-type: senders must send the content type of JSON; any other is answered 415`,
        ]),
    ...(isXml ? ["it seems to read XML: sources take JSON, and any other content type is answered 415"] : []),
    ...undecoded.map(
      (field) =>
        `parse-parameters-as-json ${JSON.stringify(field)}: forms and JSON inside JSON are not decoded; a form is answered 415`,
    ),
    ...(mismatch === 0
      ? []
      : [
          `trigger-rule-mismatch-http-response-code ${mismatch}: failed checks are answered 401, and deliveries that "when" skips 200`,
        ]),
  ];
}
