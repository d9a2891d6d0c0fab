import type { Clock } from "../domain/clock.ts";
import type { Deployment, Ending, StepResult } from "../domain/deployment.ts";
import { Fault } from "../domain/fault.ts";
import type { CheckedOut, Fetched, Layout, ProcessIo, RunProcess, Workplace } from "../domain/layout.ts";
import { type Command, describeCommand, type Target } from "../domain/target.ts";
import { cleanEnvironment, describeCircumstances, nameDeployment } from "./environment.ts";
import { layouts } from "./index.ts";
import { oneLine } from "./one-line.ts";
import { limitTime, type TimeLimit } from "./time-limit.ts";

/** Milliseconds for tidying up: as long as it takes, nothing else of the target is deployed. */
const TIDY_TIME = 60_000;

/** What is to be deployed, and what the commands may know of why. */
export interface Job {
  readonly deployment: Deployment;
  readonly target: Target;
  /** The kind of event that asked for it; null when no delivery did. */
  readonly event: string | null;
  /** A file with the delivery's payload; null when no delivery asked for it. */
  readonly payloadFile: string | null;
}

/** What a deployment works with. */
export interface DeployTools {
  readonly clock: Clock;
  readonly run: RunProcess;
  /** Our own environment; commands see of it what `environment.ts` lets through. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly onLine: (line: string) => void;
  /** Ends the deployment early; its reason is an `Interruption`. */
  readonly signal: AbortSignal;
}

/** What is known so far: what the ending tells, however it ends. */
interface Progress {
  fetched: Fetched | null;
  checkedOut: CheckedOut;
  /** What it is at, for people: completes "timed out while …". */
  doing: string;
  readonly steps: StepResult[];
}

/**
 * Runs one deployment from the fetch to the tidying up. Resolves with how it ended, also when it failed, ran out
 * of time or was ended through `signal`; then what was live before is live again.
 */
export async function deploy(job: Job, tools: DeployTools): Promise<Ending> {
  const progress: Progress = {
    fetched: null,
    checkedOut: { directory: job.target.directory, release: null },
    doing: "starting",
    steps: [],
  };
  const limit = limitTime(job.target.timeout, tools);
  try {
    return await deployWithin(limit, job, tools, progress);
  } finally {
    limit.stop();
  }
}

async function deployWithin(
  limit: TimeLimit,
  job: Job,
  tools: DeployTools,
  progress: Progress,
): Promise<Ending> {
  const io: ProcessIo = { onLine: tools.onLine, signal: limit.signal };
  let place: Workplace | null = null;
  try {
    place = openPlace(job, tools, progress);
    await goLive(job, tools, place, progress, io);
  } catch (error) {
    const { state, reason } = limit.cause(progress.doing) ?? failedBecause(error);
    const trouble = await failureOf(() => place?.revert(), "putting back what was live failed");
    // What was put back took the release with it.
    if (trouble === null) progress.checkedOut = { ...progress.checkedOut, release: null };
    return end(progress, state, [reason, trouble]);
  }
  return end(progress, "succeeded", [progress.fetched?.note ?? null, await tidyUp(place, tools)]);
}

/** Resolves with what people should know of it; it changes nothing of the success that it comes after. */
async function tidyUp(place: Workplace | null, tools: DeployTools): Promise<string | null> {
  const limit = limitTime(TIDY_TIME, tools);
  const io: ProcessIo = { onLine: () => {}, signal: limit.signal };
  const trouble = await failureOf(() => place?.tidy(io), "tidying up failed");
  limit.stop();
  const wasCut = trouble !== null && limit.signal.aborted;
  return wasCut ? "tidying up was cut short; the next deployment goes on with it" : trouble;
}

async function goLive(
  job: Job,
  tools: DeployTools,
  place: Workplace | null,
  progress: Progress,
  io: ProcessIo,
): Promise<void> {
  const { target, deployment } = job;
  if (place !== null) await putInPlace(place, deployment.pushedCommit, progress, io);
  const { fetched, checkedOut } = progress;
  const facts = { ...job, previousCommit: deployment.previousCommit, fetched, checkedOut };
  const env = { ...cleanEnvironment(target, tools.env), ...describeCircumstances(facts) };
  const options = { cwd: checkedOut.directory, env, ...io };
  for (const command of target.run) await runStep(command, tools.run, options, progress);
  progress.doing = "going live";
  await place?.activate();
  for (const command of target.after) await runStep(command, tools.run, options, progress);
}

async function putInPlace(
  place: Workplace,
  pushedCommit: string | null,
  progress: Progress,
  io: ProcessIo,
): Promise<void> {
  progress.doing = "fetching";
  progress.fetched = await place.fetch(pushedCommit, io);
  io.signal.throwIfAborted();
  progress.doing = "checking out";
  progress.checkedOut = await place.checkOut(progress.fetched, io);
  io.signal.throwIfAborted();
}

/** Runs one command and writes down how it ended. Rejects when that ends the deployment. */
async function runStep(
  command: Command,
  run: RunProcess,
  options: Parameters<RunProcess>[1],
  progress: Progress,
): Promise<void> {
  const text = describeCommand(command);
  const [first = "", ...more] = text.split("\n");
  options.onLine(`$ ${first}`);
  for (const line of more) options.onLine(`> ${line}`);
  progress.doing = `running ${quote(text)}`;
  const argv = typeof command === "string" ? ["/bin/sh", "-c", command] : command;
  const result = await run(argv, options);
  progress.steps.push({ command: text, ...result });
  options.signal.throwIfAborted();
  if (result.signal !== null) throw new Fault("failed", `step ${quote(text)} was ended by ${result.signal}`);
  if (result.exitCode !== 0) throw new Fault("failed", `step ${quote(text)} exited with ${result.exitCode}`);
}

/** Null for a target without git: its commands run in the directory as it is. */
function openPlace({ target, deployment }: Job, { clock, run, env }: DeployTools, progress: Progress) {
  if (target.watch === null) return null;
  const known: Readonly<Record<string, Layout>> = layouts;
  const layout = known[target.layout];
  if (layout === undefined) throw new Fault("configuration", `there is no layout ${target.layout}`);
  return layout.open(target, {
    clock,
    run,
    env: { ...cleanEnvironment(target, env), ...nameDeployment(target, deployment.id) },
    onDoing: (what) => {
      progress.doing = what;
    },
  });
}

function end(progress: Progress, state: Ending["state"], reasons: readonly (string | null)[]): Ending {
  return {
    state,
    reason: reasons.filter((reason) => reason !== null).join("; ") || null,
    branch: progress.fetched?.ref ?? null,
    commit: progress.fetched?.commit ?? null,
    release: progress.checkedOut.release,
    steps: progress.steps,
  };
}

/** Does what comes after the ending is decided; what goes wrong in it is told, and changes nothing. */
async function failureOf(act: () => Promise<void> | undefined, what: string): Promise<string | null> {
  try {
    await act();
    return null;
  } catch (error) {
    return `${what}: ${explain(error)}`;
  }
}

function explain(error: unknown): string {
  if (error instanceof Fault) return oneLine(error.message);
  if (!(error instanceof Error)) return "internal error";
  // A fault of the machine's (EACCES, ENOSPC) says itself what and where; anything else is a fault of ours.
  return "code" in error ? oneLine(error.message) : `internal error: ${oneLine(error.message)}`;
}

function failedBecause(error: unknown): { readonly state: "failed"; readonly reason: string } {
  return { state: "failed", reason: explain(error) };
}

function quote(text: string): string {
  return JSON.stringify(oneLine(text));
}
