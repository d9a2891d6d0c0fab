import type { Command, Option } from "commander";

/** A command as a shell completes it. */
export interface CompletedCommand {
  /** The words that lead to it, each with a space before it: empty for the program itself, else such as ` target show`. */
  readonly route: string;
  readonly subcommands: readonly Word[];
  readonly options: readonly CompletedOption[];
  /** What its first argument is. */
  readonly argument: Value;
}

/** A word that may be typed, and what it means. */
export interface Word {
  readonly word: string;
  readonly meaning: string;
}

/** An option, by all its names. */
export interface CompletedOption {
  /** Such as `--config`. */
  readonly long: string;
  /** Such as `-c`; null where it has none. */
  readonly short: string | null;
  readonly meaning: string;
  /** What follows it; null for one that takes nothing. */
  readonly value: Value | null;
}

/** What may stand somewhere, as far as it can be completed. */
export type Value =
  | { readonly kind: "nothing known" }
  | { readonly kind: "file" }
  /** The name of a target, which the server knows. */
  | { readonly kind: "target" }
  | { readonly kind: "choice"; readonly choices: readonly string[] };

/** Every command of the program, as its help shows them: the program itself first. */
export function readCommands(program: Command): readonly CompletedCommand[] {
  return walk(program, "");
}

function walk(command: Command, route: string): readonly CompletedCommand[] {
  const help = command.createHelp();
  const visible = help.visibleCommands(command);
  const [argument] = command.registeredArguments;
  const own: CompletedCommand = {
    route,
    subcommands: visible.map((one) => ({ word: one.name(), meaning: help.subcommandDescription(one) })),
    options: help.visibleOptions(command).flatMap(readOption),
    argument:
      argument === undefined ? { kind: "nothing known" } : readValue(argument.name(), argument.argChoices),
  };
  // What commander adds itself (`help`) has no parent, and takes nothing to complete.
  const children = visible.filter(({ parent }) => parent === command);
  return [own, ...children.flatMap((one) => walk(one, `${route} ${one.name()}`))];
}

function readOption(option: Option): readonly CompletedOption[] {
  if (option.long === undefined || option.long === null) return [];
  const takesValue = option.required || option.optional;
  const [, placeholder = ""] = /[<[]([^\]>]+)[\]>]/.exec(option.flags) ?? [];
  return [
    {
      long: option.long,
      short: option.short ?? null,
      meaning: option.description,
      value: takesValue ? readValue(placeholder, option.argChoices) : null,
    },
  ];
}

/** A placeholder tells what it stands for: `<file>`, `<target>`. */
function readValue(placeholder: string, choices: readonly string[] | undefined): Value {
  if (choices !== undefined) return { kind: "choice", choices };
  return placeholder === "file" || placeholder === "target"
    ? { kind: placeholder }
    : { kind: "nothing known" };
}

/** The words that are commands anywhere, as the routes they lead to: ` target`, ` target show`. */
export function listRoutes(commands: readonly CompletedCommand[]): readonly string[] {
  return commands.map(({ route }) => route).filter((route) => route !== "");
}

/** Where something follows an option, such as ` serve --config`: the places with the same to follow together. */
export function listValues(
  commands: readonly CompletedCommand[],
): readonly { readonly places: readonly string[]; readonly value: Value }[] {
  const found = new Map<string, { places: string[]; value: Value }>();
  for (const { route, options } of commands) {
    for (const { long, short, value } of options) {
      if (value === null) continue;
      const key = JSON.stringify(value);
      const group = found.get(key) ?? { places: [], value };
      found.set(key, group);
      group.places.push(`${route} ${long}`, ...(short === null ? [] : [`${route} ${short}`]));
    }
  }
  return [...found.values()];
}
