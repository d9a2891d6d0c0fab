import { constants } from "node:os";
import type { StepResult } from "../domain/deployment.ts";
import type { RunProcess } from "../domain/layout.ts";
import { type Command, describeCommand } from "../domain/target.ts";
import { AppError } from "../lib/errors.ts";
import { toOneLine } from "../lib/text.ts";

/** What running commands tells, as it goes. */
export interface StepProgress {
  /** What it is at, for people: completes "timed out while …". */
  doing: string;
  readonly steps: StepResult[];
}

/** Runs commands in order and writes down how each ended. Rejects at the first that does not succeed. */
export async function runSteps(
  commands: readonly Command[],
  run: RunProcess,
  options: Parameters<RunProcess>[1],
  progress: StepProgress,
): Promise<void> {
  for (const command of commands) {
    const text = describeCommand(command);
    tell(text, options.onLine);
    progress.doing = `running ${quote(text)}`;
    const argv = typeof command === "string" ? ["/bin/sh", "-c", command] : command;
    const result = await run(argv, options);
    progress.steps.push({ command: text, ...result });
    options.signal.throwIfAborted();
    assertSuccess(text, result);
  }
}

function tell(text: string, onLine: (line: string) => void): void {
  const [first = "", ...more] = text.split("\n");
  onLine(`$ ${first}`);
  for (const line of more) onLine(`> ${line}`);
}

function assertSuccess(text: string, { exitCode, signal }: Pick<StepResult, "exitCode" | "signal">): void {
  if (signal !== null) throw new AppError("failed", `step ${quote(text)} was ended by ${signal}`);
  if (exitCode !== 0) throw new AppError("failed", `step ${quote(text)} exited with ${tellExit(exitCode)}`);
}

/** A shell whose own command a signal ended exits with 128 and the signal's number (POSIX, "Exit Status for Commands"). */
function tellExit(exitCode: number | null): string {
  const number = (exitCode ?? 0) - 128;
  const signal = Object.entries(constants.signals).find(([, each]) => each === number)?.[0];
  return signal === undefined ? String(exitCode) : `${exitCode}, as when ${signal} ends a command`;
}

function quote(text: string): string {
  return JSON.stringify(toOneLine(text));
}
