import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DeploymentContext, DeployServices } from "../../src/deploy/context.ts";
import { deploy } from "../../src/deploy/deploy.ts";
import { createRunProcess } from "../../src/deploy/process/process.ts";
import { revertInterruptedRun } from "../../src/deploy/revert.ts";
import type { Deployment, DeploymentResult } from "../../src/domain/deployment.ts";
import { NO_HISTORY } from "../../src/domain/release.ts";
import type { Target, WatchedRef } from "../../src/domain/target.ts";
import { TestClock } from "../support/clock.ts";
import { GIT_ENV, Repository } from "../support/git.ts";
import { targetOf } from "../support/target.ts";
import { words } from "../support/words.ts";

const MAIN: WatchedRef = { kind: "branch", name: "main" };

export type Outcome = DeploymentResult & { readonly lines: readonly string[] };

/** Creates a clock that skips the pauses of a deployment, but not its time limits. `onSkip` runs at each pause. */
export function createClock(onSkip: (milliseconds: number) => void = () => {}): TestClock {
  return new TestClock({ start: "2026-11-21T20:30:00Z", skips: 30_000, onSkip });
}

/** Prepares a reason or output line for a snapshot with `words`, and replaces abbreviated commits as well. */
export function snapshotText(
  text: string | null | undefined,
  replacements: Readonly<Record<string, string>> = {},
): string {
  return words(String(text), replacements).replace(/\b[0-9a-f]{12}\b/g, "<commit>");
}

/** Replacements for `snapshotText` that hide the messages of git in the output. They depend on its version. */
export function gitMessagesIn(lines: readonly string[]): Record<string, string> {
  const messages = lines.flatMap((line) => /^(?!\$ )(?:(?:fatal|error): )?(.+)$/.exec(line)?.[1] ?? []);
  return Object.fromEntries(messages.map((message) => [message, "<git's message>"]));
}

/** Identifies what a deployment made live, as messages do: the release, or the abbreviated commit. */
export function idOf({ release, commit }: Pick<Outcome, "release" | "commit">): string {
  return release ?? String(commit?.slice(0, 12));
}

/** A repository and the directory it is deployed to, below one temporary directory. */
export class Site {
  readonly root = mkdtempSync(join(tmpdir(), "hooklatch-test-"));
  readonly directory: string;
  readonly repository = new Repository(join(this.root, "repository"));
  #deployments = 0;

  constructor(
    readonly layout: string,
    directory?: string,
  ) {
    this.directory = directory ?? join(this.root, "site");
  }

  /** The directory with the live files. */
  get live(): string {
    return this.layout === "releases" ? join(this.directory, "current") : this.directory;
  }

  watch(ref: WatchedRef = MAIN): Pick<Target, "repository"> {
    return { repository: { fullName: "octocat/blog", ref, cloneUrl: this.repository.path, depth: null } };
  }

  target(changes: Partial<Target> = {}): Target {
    const own = { ...this.watch(), directory: this.directory, layout: this.layout, env: GIT_ENV };
    return targetOf("blog", { ...own, ...changes });
  }

  /** Deploys the watched branch or tag. The arguments override parts of the target, context and services. */
  async deploy(
    target: Partial<Target> = {},
    {
      deployment,
      clock = createClock(),
      env = { PATH: process.env.PATH, HOME: this.root },
      onLine = () => {},
      signal = new AbortController().signal,
      run = createRunProcess({ killAfter: 100 }),
      onDecided = () => {},
      ...context
    }: Partial<Omit<DeploymentContext, "deployment">> & {
      deployment?: Partial<Deployment>;
    } & Partial<DeployServices> = {},
  ): Promise<Outcome> {
    const lines: string[] = [];
    const collect = (line: string) => {
      lines.push(line);
      onLine(line);
    };
    const result = await deploy(
      {
        target: this.target(target),
        deployment: { ...this.#nextDeployment(), ...deployment },
        event: "push",
        action: null,
        readValues: null,
        gate: null,
        history: async () => NO_HISTORY,
        payloadFile: null,
        ...context,
      },
      { clock, env, signal, run, onLine: collect, onDecided },
    );
    return { ...result, lines };
  }

  /** Reverts what a killed deployment made live. */
  restore(live: string | null, target: Partial<Target> = {}): Promise<string | null> {
    const run = createRunProcess({ killAfter: 100 });
    const env = { PATH: process.env.PATH, HOME: this.root };
    const abandoned = { target: this.target(target), deployment: this.#deployments };
    return revertInterruptedRun(abandoned, live, { clock: createClock(), env, run, onLine: () => {} });
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  #nextDeployment(): Deployment {
    this.#deployments += 1;
    return {
      id: this.#deployments,
      target: "blog",
      host: "web-1",
      waitsFor: null,
      state: "running",
      code: null,
      reason: null,
      trigger: "push",
      attempt: 1,
      retryOf: null,
      retriedAs: null,
      supersededBy: null,
      delivery: 7,
      pushedCommit: null,
      choice: null,
      branch: null,
      commit: null,
      subject: null,
      author: null,
      commitUrl: null,
      previousCommit: null,
      release: null,
      createdAt: new Date(0),
      startedAt: new Date(0),
      endedAt: null,
      steps: [],
    };
  }
}
