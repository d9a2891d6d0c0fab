import { Command, CommanderError } from "commander";
import manifest from "../../package.json" with { type: "json" };
import { AppError } from "../lib/errors.ts";
import { findNearest } from "../lib/text.ts";
import { withExamples } from "./options.ts";
import { makePrintable } from "./output/sanitise.ts";
import { EXIT, type Finish, type Terminal } from "./terminal.ts";

type DefineCommand = (terminal: Terminal, finish: Finish) => Command;

/** The visible commands, in the order of `--help`. Only those that are needed are loaded: that is most of a start. */
const COMMANDS: Readonly<Record<string, () => Promise<DefineCommand>>> = {
  serve: async () => (await import("./commands/serve.ts")).serve,
  init: async () => (await import("./commands/init.ts")).init,
  check: async () => (await import("./commands/check.ts")).check,
  demo: async () => (await import("./commands/demo.ts")).demo,
  send: async () => (await import("./commands/send.ts")).send,
  dashboard: async () => (await import("./commands/dashboard.ts")).dashboard,
  status: async () => (await import("./commands/status.ts")).status,
  logs: async () => (await import("./commands/deployment.ts")).logs,
  deploy: async () => (await import("./commands/target.ts")).deploy,
  rollback: async () => (await import("./commands/target.ts")).rollback,
  target: async () => (await import("./commands/target.ts")).target,
  deployment: async () => (await import("./commands/deployment.ts")).deployment,
  delivery: async () => (await import("./commands/delivery.ts")).delivery,
  host: async () => (await import("./commands/host.ts")).host,
  client: async () => (await import("./commands/client.ts")).client,
  import: async () => (await import("./commands/import.ts")).importCommand,
  reload: async () => (await import("./commands/reload.ts")).reload,
  backup: async () => (await import("./commands/backup.ts")).backup,
  store: async () => (await import("./commands/store.ts")).store,
  hash: async () => (await import("./commands/hash.ts")).hash,
  schema: async () => (await import("./commands/schema.ts")).schema,
  completion: async () => (await import("./commands/completion.ts")).completion,
};

const ALL_COMMANDS: readonly string[] = Object.keys(COMMANDS);

/** The command that runs when none is named. */
const DEFAULT_COMMAND = "serve";

/** A command line that a command does not accept. */
class UsageError extends Error {
  constructor(
    readonly reason: CommanderError,
    readonly command: Command,
  ) {
    super(reason.message);
  }
}

/** Runs one command line and resolves with its exit code. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode: number = EXIT.done;
  const finish: Finish = (code) => {
    exitCode = code;
  };
  const parse = async (commands: readonly string[]) => {
    const program = await createProgram(terminal, finish, commands);
    await program.parseAsync(moveConfigToEnd(args), { from: "user" });
  };
  const named = findCommand(moveConfigToEnd(args));
  try {
    await parse(named).catch((error) => {
      // No action has run. The error names other commands, or what they are called.
      if (error instanceof UsageError && named !== ALL_COMMANDS) return parse(ALL_COMMANDS);
      throw error;
    });
    return exitCode;
  } catch (error) {
    // Help and version, which are already printed.
    if (error instanceof CommanderError) return EXIT.done;
    const debug = args.includes("--debug");
    if (error instanceof UsageError) {
      terminal.err(
        describeError(new AppError("configuration", describeUsageError(error.reason, error.command)), debug),
      );
      return EXIT.wrong;
    }
    terminal.err(describeError(error, debug));
    return error instanceof AppError && error.code === "configuration" ? EXIT.wrong : EXIT.failed;
  }
}

/** The commands to define for a command line: the one that it names, or all of them for help and for errors. */
function findCommand([first = DEFAULT_COMMAND, ...others]: readonly string[]): readonly string[] {
  if (first === "--debug") return findCommand(others);
  if (first.startsWith("-c") || first.startsWith("--config")) return [DEFAULT_COMMAND];
  return Object.hasOwn(COMMANDS, first) ? [first] : ALL_COMMANDS;
}

/** `--config FILE` is an option of the commands; this accepts it before the command too. */
function moveConfigToEnd(args: readonly string[]): readonly string[] {
  const [first = ""] = args;
  const length = first === "-c" || first === "--config" ? 2 : first.startsWith("--config=") ? 1 : 0;
  return [...args.slice(length), ...args.slice(0, length)];
}

const EXPLANATION = `
Without a command, hooklatch serves. Each command has its own --help.
Exit codes: 0 done, 1 it failed, 2 the command line or the configuration is
wrong.`;

/** Creates the tree of commands, or of the given ones. */
export async function createProgram(
  terminal: Terminal,
  finish: Finish,
  names: readonly string[] = ALL_COMMANDS,
): Promise<Command> {
  const program = new Command("hooklatch")
    .description("Receives webhooks over HTTPS, stores every delivery, and deploys what was pushed.")
    .version(`hooklatch ${manifest.version}`, "--version", "print the version")
    .option("--debug", "log more, and print the stack of an error")
    .addHelpText("after", EXPLANATION);
  withExamples(program, "hooklatch demo", "hooklatch init --repository octocat/blog");
  for (const name of names) {
    const define = await COMMANDS[name]?.();
    if (define !== undefined)
      program.addCommand(define(terminal, finish), { isDefault: name === DEFAULT_COMMAND });
  }
  if (names === ALL_COMMANDS) {
    const { complete } = await import("./commands/completion.ts");
    program.addCommand(complete(terminal), { hidden: true });
  }
  for (const command of listCommands(program)) {
    command
      .helpOption("-h, --help", "print this help")
      .exitOverride((error) => {
        throw error.exitCode === 0 ? error : new UsageError(error, command);
      })
      .configureOutput({
        writeOut: terminal.out,
        // `run` prints errors. Help goes to standard error only in place of a missing subcommand.
        writeErr: () => {},
        outputError: () => {},
        getOutHelpWidth: () => terminal.columns ?? 80,
      })
      // Long command names leave little room for descriptions, which are wrapped nevertheless.
      .configureHelp({
        minWidthToWrap: 30,
        ...(command === program && { subcommandTerm: (each) => each.name() }),
      });
    if (command.commands.length > 0) command.helpCommand("help [command]", "print the help of a command");
  }
  return program;
}

/** A command and all commands below it. */
function listCommands(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(listCommands)];
}

/** The words that call a command, such as `hooklatch target list`. */
export function fullName(command: Command): string {
  return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`;
}

/** One line that describes an error of the command line and refers to the help. */
function describeUsageError({ code, message }: CommanderError, command: Command): string {
  // `serve` also runs when no command is named: then the option may belong to another command.
  const isNamed = command.name() !== "serve" || command.parent?.args[0] === "serve";
  const help = `see ${fullName(isNamed ? command : (command.parent ?? command))} --help`;
  switch (code) {
    case "commander.help": {
      const [word, topic] = command.args;
      if (word === "help" && topic !== undefined) return describeUnknown(topic, command);
      return `${command.name()} needs a command: ${listNames(command).join(", ")}; ${help}`;
    }
    case "commander.excessArguments":
      return describeExcess(command, help);
    default:
      return `${makePrintable(message.replace(/^error: |\.$/g, "").replace("\n", " "))}; ${help}`;
  }
}

function describeExcess(command: Command, help: string): string {
  const word = command.args[command.registeredArguments.length] ?? "";
  if (command.name() !== "serve") return `unexpected argument ${JSON.stringify(word)}; ${help}`;
  // The first word is an argument of the default command if it is not a command.
  return describeUnknown(word, command.parent ?? command);
}

/** An unknown command below `parent`, and the commands that were probably meant: on any level, the exact name first. */
function describeUnknown(word: string, parent: Command): string {
  const nested = parent.commands.flatMap((each) => each.commands);
  const below = (name: string) => nested.filter((each) => each.name() === name).map(fullName);
  const findLikely = (names: readonly string[]) => {
    const nearest = names.length === 0 ? null : findNearest(word, names);
    return nearest?.isLikely ? nearest.word : null;
  };
  const top = findLikely(listNames(parent));
  const deep = findLikely(nested.map((each) => each.name()));
  const exact = below(word);
  const meant = exact.length > 0 ? exact : top !== null ? [top] : deep !== null ? below(deep) : [];
  const hint = meant.length > 0 ? `did you mean ${meant.join(" or ")}?` : `see ${fullName(parent)} --help`;
  return `unknown command ${JSON.stringify(word)}; ${hint}`;
}

/** The names of the visible commands directly below one. */
function listNames(command: Command): readonly string[] {
  const visible = command.createHelp().visibleCommands(command);
  return visible.map((each) => each.name()).filter((name) => name !== "help");
}

/** The lines of an error. The stack and the cause are for `--debug`. */
function describeError(error: unknown, debug: boolean): string {
  const lines = error instanceof Error ? error.message.split("\n") : [String(error)];
  if (!(error instanceof AppError)) lines[0] += " (internal error; --debug shows more)";
  if (debug && error instanceof Error) {
    lines.push(...(error.stack ?? "").split("\n").slice(1));
    if (error.cause !== undefined) lines.push(`caused by ${error.cause}`);
  }
  return lines.map((line) => `hooklatch: ${line}\n`).join("");
}
