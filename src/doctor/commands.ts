import { isAbsolute } from "node:path";
import { cleanEnvironment } from "../deploy/process/environment.ts";
import { runProcess } from "../deploy/process/process.ts";
import { describeCommand, type Target } from "../domain/target.ts";
import { type CheckResult, warn } from "./check-result.ts";
import { isInPath, isProgram } from "./files.ts";

type Command = Target["run"][number];

/**
 * Warns about programs of `run` and `after` that are not installed: the first word of an argument list, and of a shell
 * command if it is a plain word. Programs in the release, such as `./build.sh`, cannot be checked before a deployment.
 */
export async function checkCommands(
  target: Target,
  env: Readonly<Record<string, string | undefined>>,
): Promise<readonly CheckResult[]> {
  const path = cleanEnvironment(target, env).PATH ?? "";
  const missing = new Set<string>();
  for (const command of [...target.run, ...target.after]) {
    const program = programOf(command);
    if (program !== null && !(await isFound(program, command, path))) missing.add(program);
  }
  return [...missing].map((program) => {
    const text = `target ${target.name}: program ${describeCommand([program])}`;
    return isAbsolute(program)
      ? warn(`${text} does not exist or is not executable: install it`)
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
  return /^\s*(\w[\w.+-]*)(?=\s|$)/.exec(command)?.[1] ?? null;
}

async function isFound(program: string, command: Command, path: string): Promise<boolean> {
  if (isAbsolute(program)) return isProgram(program);
  // A relative directory of PATH, such as node_modules/.bin, is in the release.
  const isInRelease = program.includes("/") || path.split(":").some((directory) => !isAbsolute(directory));
  if (isInRelease || isInPath(program, path)) return true;
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
