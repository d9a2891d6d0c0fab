import { isAbsolute } from "node:path";
import { cleanEnvironment } from "../../deploy/environment.ts";
import { describeCommand, type Target } from "../../domain/target.ts";
import { isInPath, isProgram } from "./files.ts";
import { type Remark, warn } from "./remark.ts";

/**
 * The programs of commands that are argument lists: where they are looked for is known before they run. What is named
 * from the release, such as `./build.sh`, is not there yet, and what a line for the shell needs only the shell knows.
 */
export function checkCommands(
  target: Target,
  env: Readonly<Record<string, string | undefined>>,
): readonly Remark[] {
  const path = cleanEnvironment(target, env).PATH ?? "";
  const commands = [...target.run, ...target.after].filter((command) => typeof command !== "string");
  const programs = new Set(commands.map(([program = ""]) => program));
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

function mayBeFound(program: string, path: string): boolean {
  if (isAbsolute(program)) return isProgram(program);
  // A PATH with relative directories, such as node_modules/.bin, leads into the release.
  const isInRelease = program.includes("/") || path.split(":").some((directory) => !isAbsolute(directory));
  return isInRelease || isInPath(program, path);
}
