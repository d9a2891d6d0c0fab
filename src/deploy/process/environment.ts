import type { Deployment } from "../../domain/deployment.ts";
import type { PlacedRelease } from "../../domain/layout.ts";
import type { Target } from "../../domain/target.ts";
import { currentUser } from "../../lib/os-user.ts";

/** Names of our own environment that every command may see. */
const PASSED = ["PATH", "HOME", "USER", "LANG", "TZ"] as const;

const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * What a target's commands, and git for it, see of our environment: five names, those in `pass_env`, and what
 * `env` sets. Nothing else of ours gets through, so that no secret of the server reaches a build by accident.
 */
export function cleanEnvironment(target: Target, ours: Environment): Record<string, string> {
  const defaults = { PATH: DEFAULT_PATH, ...currentUser() };
  return withoutAbsent({
    ...defaults,
    ...pick(ours, [...PASSED, ...target.passEnv]),
    ...target.env,
  });
}

/**
 * The variables by which a process is known as one of a deployment's, wherever it goes; git has them too. Another
 * hooklatch may have a target of that name and a deployment of that number, but not this directory.
 */
export function deploymentVariables({ name, directory }: Target, deployment: number) {
  return {
    HOOKLATCH_TARGET: name,
    HOOKLATCH_DEPLOYMENT: String(deployment),
    HOOKLATCH_DIRECTORY: directory,
  };
}

/** What the `HOOKLATCH_…` variables tell a command about the deployment it runs in. */
export interface DeploymentVariables {
  readonly deployment: Deployment;
  readonly target: Target;
  readonly event: string | null;
  readonly payloadFile: string | null;
  readonly previousCommit: string | null;
  /** What the command works on. */
  readonly placed: PlacedRelease;
}

/** What a command of the target sees: the clean environment, and the circumstances it runs in. */
export function commandEnvironment(facts: DeploymentVariables, ours: Environment): Record<string, string> {
  return { ...cleanEnvironment(facts.target, ours), ...describeCircumstances(facts) };
}

/** The `HOOKLATCH_…` variables; what there is nothing to say about is left out. */
function describeCircumstances(facts: DeploymentVariables): Record<string, string> {
  const { repository } = facts.target;
  const { ref, commit, release } = facts.placed;
  return withoutAbsent({
    ...deploymentVariables(facts.target, facts.deployment.id),
    HOOKLATCH_BRANCH: repository?.ref.kind === "branch" ? ref : null,
    HOOKLATCH_TAG: repository?.ref.kind === "tag" ? ref : null,
    HOOKLATCH_COMMIT: commit,
    HOOKLATCH_PREVIOUS_COMMIT: facts.previousCommit,
    HOOKLATCH_REPOSITORY: repository?.fullName,
    HOOKLATCH_RELEASE: release,
    HOOKLATCH_DELIVERY: facts.deployment.delivery?.toString(),
    HOOKLATCH_EVENT: facts.event,
    HOOKLATCH_PAYLOAD_FILE: facts.payloadFile,
  });
}

function pick(ours: Environment, names: readonly string[]): Record<string, string> {
  return withoutAbsent(Object.fromEntries(names.map((name) => [name, ours[name]])));
}

function withoutAbsent(entries: Readonly<Record<string, string | null | undefined>>): Record<string, string> {
  const present: Record<string, string> = {};
  for (const [name, value] of Object.entries(entries)) {
    if (value !== null && value !== undefined) present[name] = value;
  }
  return present;
}
