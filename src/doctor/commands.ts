import { isAbsolute } from "node:path";
import { cleanEnvironment } from "../deploy/process/environment.ts";
import { describeCommand, type Target } from "../domain/target.ts";
import { isInPath, isProgram } from "./files.ts";
import { type CheckResult, warn } from "./index.ts";

/**
 * The programs of commands that are argument lists, and what a line for the shell begins with where that is a plain word:
 * where they are looked for is known before they run. What is named from the release, such as `./build.sh`, is not there
 * yet, and what else such a line needs only the shell knows.
 */
export function checkCommands(
  target: Target,
  env: Readonly<Record<string, string | undefined>>,
): readonly CheckResult[] {
  const path = cleanEnvironment(target, env).PATH ?? "";
  const commands = [...target.run, ...target.after];
  const programs = new Set(commands.map(programOf).filter((program) => program !== null));
  return [...programs]
    .filter((program) => !mayBeFound(program, path))
    .map((program) => {
      const shown = describeCommand([program]);
      return isAbsolute(program)
        ? warn(`target ${target.name}: program ${shown} is not there, or may not be run: install it`)
        : warn(
            `target ${target.name}: program ${shown} was not found in PATH (${path}): install it, or set env = { PATH = … }`,
          );
    });
}

/** Null where only the shell knows. */
function programOf(command: Target["run"][number]): string | null {
  if (typeof command !== "string") return command[0] ?? null;
  const [, word] = /^\s*(\w[\w.+-]*)(?=\s|$)/.exec(command) ?? [];
  return word === undefined || OF_THE_SHELL.has(word) ? null : word;
}

/** Words that are no programs: reserved ones, special and other utilities that shells have built in (sh(1), POSIX). */
const OF_THE_SHELL = new Set(
  "alias bg break builtin case cd command continue declare do done echo elif else esac eval exec exit export false fc fg fi for function getopts hash if in jobs kill let local newgrp printf pwd read readonly return select set shift source test then time times trap true type typeset ulimit umask unalias unset until wait while".split(
    " ",
  ),
);

function mayBeFound(program: string, path: string): boolean {
  if (isAbsolute(program)) return isProgram(program);
  // A PATH with relative directories, such as node_modules/.bin, leads into the release.
  const isInRelease = program.includes("/") || path.split(":").some((directory) => !isAbsolute(directory));
  return isInRelease || isInPath(program, path);
}
