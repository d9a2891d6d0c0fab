import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deploy } from "../../src/deploy/deploy.ts";
import type { DeployTools, Job } from "../../src/deploy/job.ts";
import { createRunProcess } from "../../src/deploy/process.ts";
import { restore } from "../../src/deploy/put-back.ts";
import type { Deployment, Ending } from "../../src/domain/deployment.ts";
import { NO_HISTORY } from "../../src/domain/release.ts";
import type { Target, WatchedRef } from "../../src/domain/target.ts";
import { GIT_ENV, Repository } from "../support/git.ts";
import { targetOf } from "../support/target.ts";
import { FakeClock } from "./fake-clock.ts";

const MAIN: WatchedRef = { kind: "branch", name: "main" };

export type Outcome = Ending & { readonly lines: readonly string[] };

/** A repository and a directory that it is deployed to, in a temporary directory. */
export class Site {
  readonly root = mkdtempSync(join(tmpdir(), "hooklatch-test-"));
  readonly directory = join(this.root, "site");
  readonly repository = new Repository(join(this.root, "repository"));
  #deployments = 0;

  constructor(readonly layout: string) {}

  /** Where the live files are. */
  get live(): string {
    return this.layout === "releases" ? join(this.directory, "current") : this.directory;
  }

  watch(ref: WatchedRef = MAIN): Pick<Target, "watch"> {
    return { watch: { repository: "octocat/blog", ref, cloneUrl: this.repository.path } };
  }

  target(changes: Partial<Target> = {}): Target {
    const own = { ...this.watch(), directory: this.directory, layout: this.layout, env: GIT_ENV };
    return targetOf("blog", { ...own, ...changes });
  }

  /** Deploys what is watched, with the target, job and tools changed as told. */
  async deploy(
    target: Partial<Target> = {},
    {
      deployment,
      clock = new FakeClock(),
      env = { PATH: process.env.PATH, HOME: this.root },
      onLine = () => {},
      signal = new AbortController().signal,
      run = createRunProcess({ killAfter: 100 }),
      onDecided = () => {},
      ...job
    }: Partial<Omit<Job, "deployment">> & { deployment?: Partial<Deployment> } & Partial<DeployTools> = {},
  ): Promise<Outcome> {
    const lines: string[] = [];
    const hear = (line: string) => {
      lines.push(line);
      onLine(line);
    };
    const ending = await deploy(
      {
        target: this.target(target),
        deployment: { ...this.#nextDeployment(), ...deployment },
        event: "push",
        history: async () => NO_HISTORY,
        payloadFile: null,
        ...job,
      },
      { clock, env, signal, run, onLine: hear, onDecided },
    );
    return { ...ending, lines };
  }

  /** Takes back what a deployment that was killed had made live. */
  restore(live: string | null, target: Partial<Target> = {}): Promise<string | null> {
    const run = createRunProcess({ killAfter: 100 });
    const env = { PATH: process.env.PATH, HOME: this.root };
    const abandoned = { target: this.target(target), deployment: this.#deployments };
    return restore(abandoned, live, { clock: new FakeClock(), env, run, onLine: () => {} });
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  #nextDeployment(): Deployment {
    this.#deployments += 1;
    return {
      id: this.#deployments,
      target: "blog",
      state: "running",
      reason: null,
      trigger: "push",
      attempt: 1,
      delivery: 7,
      pushedCommit: null,
      choice: null,
      branch: null,
      commit: null,
      previousCommit: null,
      release: null,
      createdAt: new Date(0),
      startedAt: new Date(0),
      endedAt: null,
      steps: [],
    };
  }
}
