import { constants } from "node:os";
import type { ProcessResult, RunProcess } from "../domain/layout.ts";
import { type Command, describeCommand } from "../domain/target.ts";
import { toOneLine } from "../lib/text.ts";
import type { Progress } from "./context.ts";
import { DeploymentError } from "./failure.ts";

/** Runs commands in order and records each result. Rejects with a {@link DeploymentError} at the first that fails. */
export async function runSteps(
  commands: readonly Command[],
  run: RunProcess,
  options: Parameters<RunProcess>[1],
  progress: Pick<Progress, "activity" | "steps">,
): Promise<void> {
  for (const command of commands) {
    const text = describeCommand(command);
    const quoted = JSON.stringify(toOneLine(text));
    const [firstLine, ...moreLines] = text.split("\n");
    options.onLine(`$ ${firstLine}`);
    for (const line of moreLines) options.onLine(`> ${line}`);
    progress.activity = `running ${quoted}`;
    const result = await run(typeof command === "string" ? ["/bin/sh", "-c", command] : command, options);
    progress.steps.push({ command: text, ...result });
    options.signal.throwIfAborted();
    if (result.exitCode !== 0)
      throw new DeploymentError("step_failed", `step ${quoted} ${describeEnd(result)}`);
  }
}

/** A shell whose command a signal ended exits with 128 and the signal's number (POSIX, "Exit Status for Commands"). */
function describeEnd({ exitCode, signal }: ProcessResult): string {
  if (exitCode === null) return `was terminated by ${signal}`;
  const [name] = Object.entries(constants.signals).find(([, number]) => number === exitCode - 128) ?? [];
  return `exited with code ${exitCode}${name === undefined ? "" : ` (terminated by ${name})`}`;
}
