import { isAbsolute, join } from "node:path";
import { isProtectedVariable } from "../config/rules.ts";
import type { Hook, Parameter } from "./hook.ts";
import { type BodyReading, resolveParameter, type Value } from "./value.ts";
import type { TomlValue } from "./write-toml.ts";

/** The command of a hook, as keys of a target. */
export interface WrittenCommand {
  readonly keys: { readonly [key: string]: TomlValue | undefined };
  /** The headers that must be stored. */
  readonly headers: readonly string[];
  readonly warnings: readonly string[];
}

/** Collects the variables and the text of the shell that starts a command. */
interface Draft {
  readonly env: Map<string, string>;
  readonly payloadEnv: Map<string, string>;
  readonly headers: Set<string>;
  readonly warnings: string[];
  /** Commands of the shell before the command. */
  readonly setup: string[];
  /** Names that the hook itself uses. */
  readonly taken: ReadonlySet<string>;
}

/** The whole body as one word of a shell. */
const BODY = '"$(cat -- "$HOOKLATCH_PAYLOAD_FILE")"';

/**
 * Writes the command with its arguments and variables. Values of a request never become part of a command line: they are
 * variables, which a fixed text of the shell passes on as whole words.
 *
 * @param directory the working directory, if the hook names one.
 */
export function writeCommand(hook: Hook, directory: string | null, body: BodyReading): WrittenCommand {
  const variables = hook["pass-environment-to-command"] ?? [];
  const files = hook["pass-file-to-command"] ?? [];
  const draft: Draft = {
    env: new Map(),
    payloadEnv: new Map(),
    headers: new Set(),
    warnings: [],
    setup: [],
    taken: new Set([...variables.map(nameVariable), ...files.map(nameFileVariable)]),
  };
  for (const parameter of variables) addVariable(parameter, draft, body);
  const temporary = files.flatMap((parameter, index) =>
    addFile(parameter, index, directory !== null, draft, body),
  );
  const { words, texts } = writeArguments(hook["pass-arguments-to-command"] ?? [], draft, body);

  const program = resolveProgram(hook["execute-command"], directory);
  const isPlain = draft.setup.length === 0 && texts.length === words.length;
  const script = writeScript(draft.setup, words, temporary);
  return {
    keys: {
      run: [isPlain ? [program, ...texts] : ["/bin/sh", "-c", script, program, ...texts]],
      env: draft.env.size === 0 ? undefined : Object.fromEntries(draft.env),
      payload_env: draft.payloadEnv.size === 0 ? undefined : Object.fromEntries(draft.payloadEnv),
    },
    headers: [...draft.headers],
    warnings: draft.warnings,
  };
}

/** adnanh/webhook looks for a relative command in the working directory only, if there is one. */
function resolveProgram(command: string, directory: string | null): string {
  return isAbsolute(command) || directory === null ? command : join(directory, command);
}

/** The words of the command line in the shell, and the texts behind `$1`, `$2`, … */
function writeArguments(
  parameters: readonly Parameter[],
  draft: Draft,
  body: BodyReading,
): { readonly words: readonly string[]; readonly texts: readonly string[] } {
  const texts: string[] = [];
  const addFixed = (text: string) => {
    const number = texts.push(text);
    return number < 10 ? `"$${number}"` : `"\${${number}}"`;
  };
  const words = parameters.map((parameter, index) => {
    const value = resolveParameter(parameter, body);
    if (value.kind === "literal") return addFixed(value.text);
    if (value.kind === "body") return BODY;
    if (value.kind === "expression") return `"$${addExpression(value, `HOOK_ARGUMENT_${index + 1}`, draft)}"`;
    draft.warnings.push(`argument ${index + 1} (${describe(parameter)}) is always empty: ${value.reason}`);
    return addFixed("");
  });
  return { words, texts };
}

function writeScript(
  setup: readonly string[],
  words: readonly string[],
  temporary: readonly string[],
): string {
  const line = ['"$0"', ...words].join(" ");
  if (temporary.length === 0) return [...setup, `exec ${line}`].join("; ");
  const remove = `rm -f -- ${temporary.map((name) => `"$${name}"`).join(" ")}`;
  const traps = [`trap '${remove}' EXIT`, "trap 'exit 143' TERM INT"];
  return [...traps, ...setup, line].join("; ");
}

/** Adds an expression under a name that is free, and returns the name. */
function addExpression(value: Extract<Value, { kind: "expression" }>, wanted: string, draft: Draft): string {
  let name = wanted;
  while (draft.taken.has(name)) name += "_";
  draft.payloadEnv.set(name, value.cel);
  if (value.header !== null) draft.headers.add(value.header);
  return name;
}

function addVariable(parameter: Parameter, draft: Draft, body: BodyReading): void {
  const value = resolveParameter(parameter, body);
  const label = `variable ${JSON.stringify(nameVariable(parameter))}`;
  if (value.kind === "unavailable") {
    draft.warnings.push(`${label} is not set: ${value.reason}`);
    return;
  }
  const name = chooseName(nameVariable(parameter), value.kind !== "literal", draft);
  // The last of several counts.
  for (const map of [draft.env, draft.payloadEnv]) map.delete(name);
  if (value.kind === "literal") draft.env.set(name, value.text);
  else if (value.kind === "body") draft.setup.push(`export ${name}=${BODY}`);
  else {
    draft.payloadEnv.set(name, value.cel);
    if (value.header !== null) draft.headers.add(value.header);
  }
}

/** Returns the variable with the path of a temporary file; none where the value is in a file already. */
function addFile(
  parameter: Parameter,
  index: number,
  isInDirectory: boolean,
  draft: Draft,
  body: BodyReading,
): readonly string[] {
  const value = resolveParameter(parameter, body);
  const written = nameFileVariable(parameter);
  if (value.kind === "unavailable") {
    draft.warnings.push(`file ${JSON.stringify(written)} is not written: ${value.reason}`);
    return [];
  }
  const name = chooseName(written, true, draft);
  if (value.kind === "body" && parameter.base64decode !== true) {
    draft.setup.push(`export ${name}="$HOOKLATCH_PAYLOAD_FILE"`);
    return [];
  }
  const create = `${name}=$(${isInDirectory ? `mktemp "$PWD/${name}.XXXXXXXX"` : "mktemp"}) || exit 1`;
  const decode = parameter.base64decode === true ? " | base64 -d" : "";
  const fill = (content: string) => `${create}; export ${name}; printf %s ${content}${decode} > "$${name}"`;
  const wanted = `HOOK_FILE_${index + 1}`;
  if (value.kind === "body") draft.setup.push(fill(BODY));
  else if (value.kind === "literal") draft.setup.push(fill(`"$${addText(value.text, wanted, draft)}"`));
  else {
    const content = addExpression(value, wanted, draft);
    draft.setup.push(`if [ -n "\${${content}+x}" ]; then ${fill(`"$${content}"`)}; fi`);
  }
  return [name];
}

function addText(text: string, wanted: string, draft: Draft): string {
  let name = wanted;
  while (draft.taken.has(name)) name += "_";
  draft.env.set(name, text);
  return name;
}

/** The variable as adnanh/webhook names it. */
function nameVariable({ envname = "", name = "" }: Parameter): string {
  return envname === "" ? `HOOK_${name}` : envname;
}

/** The variable with the path of a file. */
function nameFileVariable({ envname = "", name = "" }: Parameter): string {
  return envname === "" ? `HOOK_${name.toUpperCase()}` : envname;
}

/** A name that hooklatch accepts, with a warning if the command must read another one. */
function chooseName(written: string, isUntrusted: boolean, draft: Draft): string {
  const valid = written.replaceAll(/\W/g, "_").replace(/^(?=\d|HOOKLATCH_|__proto__$)/, "HOOK_") || "HOOK_";
  const name = isUntrusted && isProtectedVariable(valid) ? `HOOK_${valid}` : valid;
  if (name !== written) {
    const reason = name === valid ? "hooklatch accepts letters, digits and _" : "a payload must not set it";
    draft.warnings.push(
      `variable ${JSON.stringify(written)} is named ${name}, because ${reason}: change the command`,
    );
  }
  return name;
}

function describe({ source = "", name = "" }: Parameter): string {
  return name === "" ? source : `${source} ${JSON.stringify(name)}`;
}
