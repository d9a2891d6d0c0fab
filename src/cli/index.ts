import { Command, CommanderError } from "commander";
import { version } from "../../package.json";
import { AppError } from "../lib/errors.ts";
import { findNearest } from "../lib/text.ts";
import { check } from "./commands/check.ts";
import { client } from "./commands/client.ts";
import { completion } from "./commands/completion.ts";
import { delivery } from "./commands/delivery.ts";
import { demo } from "./commands/demo.ts";
import { deployment } from "./commands/deployment.ts";
import { hash } from "./commands/hash.ts";
import { init } from "./commands/init.ts";
import { send } from "./commands/send.ts";
import { serve } from "./commands/serve.ts";
import { target } from "./commands/target.ts";
import { EXIT, type Finish, type Terminal } from "./terminal.ts";

/** Every command, in the order in which `--help` shows them. Each gets its terminal and gives a command. */
const COMMANDS = [serve, init, check, demo, send, target, deployment, delivery, client, hash, completion];

/** Runs one command line and resolves with its exit code: 0 done, 1 it did not work, 2 it is wrong. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode: number = EXIT.done;
  const program = defineProgram(terminal, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(withConfigLast(args), { from: "user" });
    return exitCode;
  } catch (error) {
    // The command line's own complaints, and the help that was asked for, are written already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.wrong;
    terminal.err(describeError(error, program.opts<{ debug?: boolean }>().debug === true));
    return error instanceof AppError && error.code === "configuration" ? EXIT.wrong : EXIT.failed;
  }
}

/** `--config FILE` is an option of most commands; before the command, where people write it too, it counts as well. */
function withConfigLast(args: readonly string[]): readonly string[] {
  const [first = ""] = args;
  const length = first === "-c" || first === "--config" ? 2 : first.startsWith("--config=") ? 1 : 0;
  return [...args.slice(length), ...args.slice(0, length)];
}

function defineProgram(terminal: Terminal, finish: Finish): Command {
  const program = new Command("hooklatch")
    .description("Receives webhooks over HTTPS, keeps every delivery, and deploys what was pushed.")
    .version(`hooklatch ${version}`, "--version", "print the version")
    .option("--debug", "log more, and show the stack of an error")
    .addHelpText("after", EXPLANATION);
  for (const define of COMMANDS) {
    program.addCommand(define(terminal, finish), { isDefault: define === serve });
  }
  program.commands.filter(({ commands }) => commands.length > 0).forEach(askForAnotherWord);
  const all = [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)];
  for (const command of all) {
    command
      .exitOverride()
      .helpOption("-h, --help", "show this help")
      .configureOutput({
        writeOut: terminal.out,
        writeErr: terminal.err,
        outputError: (text, write) => write(`hooklatch: ${rephrase(text, command)}\n`),
      })
      // Long usages leave little room beside them, and are wrapped all the same.
      .configureHelp({ minWidthToWrap: 30 });
  }
  return program;
}

/** A command that is only the first word of others says which there are, where commander would show its whole help. */
function askForAnotherWord(command: Command): void {
  const words = command.commands.map((one) => one.name());
  command
    .helpCommand(true)
    .allowExcessArguments()
    .action((_options: unknown, { args: [word] }: Command) => {
      if (word === undefined) {
        const known = `${nameOf(command)} has ${words.join(", ")}`;
        throw new AppError("configuration", `which? ${pointToHelp(known, command)}`);
      }
      const nearest = findNearest(word, words);
      const unknown = `unknown command ${JSON.stringify(word)}`;
      throw new AppError(
        "configuration",
        nearest.isLikely ? `${unknown}; did you mean ${nearest.word}?` : pointToHelp(unknown, command),
      );
    });
}

/** The words that call it, such as `hooklatch target list`. */
function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;
}

function pointToHelp(complaint: string, command: Command): string {
  return `${complaint}; see ${nameOf(command)} --help`;
}

/** What commander complains of, as one line in the words of all other faults, and where to read on. */
function rephrase(complaint: string, command: Command): string {
  const line = complaint
    .replace(/^error: /, "")
    .replace(/\n$/, "")
    .replace(/ Allowed choices are (.*)\.$/, " expected one of $1.")
    .replace(
      /^option '.*?(--[\w-]+).*?' argument '(.*)' is invalid\. (expected .*)\.$/s,
      (_all, option: string, value: string, wish: string) => describeValue(option, value, wish),
    )
    .replace(
      /^command-argument value '(.*)' is invalid for argument '([\w-]+)'\. (expected .*)\.$/s,
      (_all, value: string, argument: string, wish: string) => describeValue(`<${argument}>`, value, wish),
    )
    .replace(/\n\(Did you mean (.*\?)\)$/, "; did you mean $1");
  return /^(?:unknown option|missing required argument) '[^']*'$|^required option .* not specified$/.test(
    line,
  )
    ? pointToHelp(line, command)
    : line;
}

function describeValue(name: string, value: string, wish: string): string {
  return `${name}: ${wish}, found ${JSON.stringify(value)}`;
}

const EXPLANATION = `
Without a command it serves. --help works on each command.
Exit codes: 0 done, 1 it did not work, 2 the command line or the configuration is wrong.`;

/** A line for each thing that is wrong and what to do; the stack, and what was underneath, only for `--debug`. */
function describeError(error: unknown, debug: boolean): string {
  const lines = error instanceof Error ? error.message.split("\n") : [String(error)];
  if (!(error instanceof AppError)) lines[0] += " (a fault of hooklatch; --debug shows more)";
  if (debug && error instanceof Error) {
    lines.push(...(error.stack ?? "").split("\n").slice(1));
    if (error.cause !== undefined) lines.push(`caused by ${error.cause}`);
  }
  return lines.map((line) => `hooklatch: ${line}\n`).join("");
}
