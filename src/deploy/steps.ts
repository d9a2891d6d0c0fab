import { constants } from "node:os";
import type { StepResult } from "../domain/deployment.ts";
import { DeploymentError } from "../domain/deployment-error.ts";
import type { RunProcess } from "../domain/layout.ts";
import { type Command, describeCommand } from "../domain/target.ts";
import { toOneLine } from "../lib/text.ts";

/** What is known so far of the commands that run. */
export interface StepProgress {
  /** What is being done, for people: completes "timed out after … while". */
  doing: string;
  readonly steps: StepResult[];
}

/** Runs commands in order and records how each ended. Rejects at the first that fails. */
export async function runSteps(
  commands: readonly Command[],
  run: RunProcess,
  options: Parameters<RunProcess>[1],
  progress: StepProgress,
): Promise<void> {
  for (const command of commands) {
    const text = describeCommand(command);
    printCommand(text, options.onLine);
    progress.doing = `running ${quote(text)}`;
    const argv = typeof command === "string" ? ["/bin/sh", "-c", command] : command;
    const result = await run(argv, options);
    progress.steps.push({ command: text, ...result });
    options.signal.throwIfAborted();
    assertSuccess(text, result);
  }
}

function printCommand(text: string, onLine: (line: string) => void): void {
  const [first = "", ...more] = text.split("\n");
  onLine(`$ ${first}`);
  for (const line of more) onLine(`> ${line}`);
}

function assertSuccess(text: string, { exitCode, signal }: Pick<StepResult, "exitCode" | "signal">): void {
  if (signal === null && exitCode === 0) return;
  const how = signal === null ? `exited with ${describeExit(exitCode)}` : `was ended by ${signal}`;
  throw new DeploymentError("step_failed", `step ${quote(text)} ${how}`);
}

/** A shell whose command a signal ended exits with 128 and the signal's number (POSIX, "Exit Status for Commands"). */
function describeExit(exitCode: number | null): string {
  const number = (exitCode ?? 0) - 128;
  const signal = Object.entries(constants.signals).find(([, each]) => each === number)?.[0];
  return signal === undefined ? String(exitCode) : `${exitCode}, as when ${signal} ends a command`;
}

function quote(text: string): string {
  return JSON.stringify(toOneLine(text));
}
