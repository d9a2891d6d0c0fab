import type { Deployment } from "../../domain/deployment.ts";
import type { PlacedRelease } from "../../domain/layout.ts";
import type { Target } from "../../domain/target.ts";
import { currentUser } from "../../lib/os-user.ts";

/** Variables of the server's environment that every command sees. */
const PASSED = ["PATH", "HOME", "USER", "LANG", "TZ"] as const;

const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The environment of a target's commands and of git: five variables of the server's, those in `pass_env`, and those that
 * `env` sets. Nothing else, so that no secret of the server reaches a build by accident.
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
 * The variables that identify a process of a deployment, git included. Another hooklatch may have a target of that name
 * and a deployment of that id, but not this directory.
 */
export function deploymentVariables({ name, directory }: Target, deployment: number) {
  return {
    HOOKLATCH_TARGET: name,
    HOOKLATCH_DEPLOYMENT: String(deployment),
    HOOKLATCH_DIRECTORY: directory,
  };
}

/** What the `HOOKLATCH_…` variables describe. */
export interface DeploymentVariables {
  readonly deployment: Deployment;
  readonly target: Target;
  readonly event: string | null;
  readonly payloadFile: string | null;
  readonly previousCommit: string | null;
  /** What the command works on. */
  readonly placed: PlacedRelease;
}

/** The environment of a command: the clean one, and the `HOOKLATCH_…` variables. */
export function commandEnvironment(facts: DeploymentVariables, ours: Environment): Record<string, string> {
  return { ...cleanEnvironment(facts.target, ours), ...describeDeployment(facts) };
}

/** The `HOOKLATCH_…` variables, without those that have no value. */
function describeDeployment(facts: DeploymentVariables): Record<string, string> {
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
