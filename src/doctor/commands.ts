import { isAbsolute, resolve } from "node:path";
import { cleanEnvironment } from "../deploy/process/environment.ts";
import { runProcess } from "../deploy/process/process.ts";
import { describeCommand, type Target } from "../domain/target.ts";
import { type CheckResult, warn } from "./check-result.ts";
import { isInPath, isProgram } from "./files.ts";

type Command = Target["run"][number];

/**
 * Warns about programs of `run` and `after` that are not installed: the first word of an argument list, and of a shell
 * command if it is a plain word. Programs in the release, such as `./build.sh`, cannot be checked before a deployment;
 * without a repository there is no release, and the commands run in the target's directory.
 */
export async function checkCommands(
  target: Target,
  env: Readonly<Record<string, string | undefined>>,
): Promise<readonly CheckResult[]> {
  const directory = target.repository === null ? target.directory : null;
  const path = cleanEnvironment(target, env).PATH ?? "";
  const missing = new Set<string>();
  for (const command of [...target.run, ...target.after]) {
    const program = programOf(command);
    if (program !== null && !(await isFound(program, command, { path, directory }))) missing.add(program);
  }
  return [...missing].map((program) => {
    const text = `target ${target.name}: program ${describeCommand([program])}`;
    if (isAbsolute(program)) return warn(`${text} does not exist or is not executable: install it`);
    return program.includes("/")
      ? warn(`${text} does not exist in ${directory}, or is not executable: correct its path`)
      : warn(`${text} not found in PATH (${path}): install it, or add its directory to path`);
  });
}

/** Null for a shell command that only the shell can parse. */
function programOf(command: Command): string | null {
  if (typeof command !== "string") {
    const [program = null, option, script = "", zero = null] = command;
    // A shell that only passes arguments on to a program, as `hooklatch import` writes it.
    return option === "-c" && /(?:^|; )(?:exec )?"\$0"/.test(script) ? zero : program;
  }
  return /^\s*((?:\.{0,2}\/)?\w[\w.+/-]*)(?=\s|$)/.exec(command)?.[1] ?? null;
}

/** @param directory where the commands run; null for a release that does not exist yet. */
async function isFound(
  program: string,
  command: Command,
  { path, directory }: { readonly path: string; readonly directory: string | null },
): Promise<boolean> {
  if (isAbsolute(program)) return isProgram(program);
  if (program.includes("/")) return directory === null || isProgram(resolve(directory, program));
  const directories = path.split(":");
  // A relative directory of PATH, such as node_modules/.bin, is in the release.
  if (directory === null && !directories.every(isAbsolute)) return true;
  const absolute = directories.map((each) => resolve(directory ?? "/", each));
  if (isInPath(program, absolute.join(":"))) return true;
  return typeof command === "string" && isShellWord(program, path);
}

/** Whether a word is a builtin or a keyword of the shell. */
async function isShellWord(word: string, path: string): Promise<boolean> {
  const { exitCode } = await runProcess(["/bin/sh", "-c", 'command -v "$1"', "sh", word], {
    cwd: "/",
    env: { PATH: path },
    onLine: () => {},
    signal: AbortSignal.timeout(5_000),
  });
  return exitCode === 0;
}
