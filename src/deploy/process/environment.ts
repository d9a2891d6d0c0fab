import type { PlacedRelease } from "../../domain/layout.ts";
import { readPayloadEnvironment } from "../../domain/rule.ts";
import type { Target } from "../../domain/target.ts";
import { currentUser } from "../../lib/os-user.ts";
import type { DeploymentContext, DeployServices } from "../context.ts";

/** Variables of the server's environment that every command sees. */
const PASSED = ["PATH", "HOME", "USER", "LANG", "TZ"] as const;

/** The PATH of commands when the server has none. */
export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * The environment of a target's commands and of git: five variables of the server, those in `pass_env`, and those that
 * `env` sets; the directories of `path` precede those of PATH. Nothing else is inherited, so that no secret of the server reaches a build by accident.
 */
export function cleanEnvironment(target: Target, serverEnv: DeployServices["env"]): Record<string, string> {
  const passed = [...PASSED, ...target.passEnv].map((name) => [name, serverEnv[name]]);
  const environment: Record<string, string> = {
    ...currentUser(),
    ...withoutAbsent(Object.fromEntries(passed)),
    ...target.env,
  };
  const { PATH = DEFAULT_PATH } = environment;
  return { ...environment, PATH: [...target.searchPath, PATH].join(":") };
}

/**
 * The variables that identify the processes of a deployment, git included. The directory distinguishes them from those of
 * another hooklatch with the same target name and deployment id.
 */
export function deploymentVariables({ name, directory }: Target, deployment: number) {
  return {
    HOOKLATCH_TARGET: name,
    HOOKLATCH_DEPLOYMENT: String(deployment),
    HOOKLATCH_DIRECTORY: directory,
  };
}

/**
 * The environment of a command that works on `placed`: the clean one, the values of `payload_env`, and the `HOOKLATCH_…`
 * variables with a value.
 */
export function commandEnvironment(
  { target, deployment, event, action, payloadFile, readValues }: DeploymentContext,
  previousCommit: string | null,
  { ref, commit, release }: PlacedRelease,
  serverEnv: DeployServices["env"],
): Record<string, string> {
  const { repository } = target;
  const payload = readPayloadEnvironment(target, readValues);
  return {
    ...cleanEnvironment(target, serverEnv),
    // `deploy` rejects invalid values before anything runs.
    ...(payload.kind === "read" ? payload.variables : {}),
    ...deploymentVariables(target, deployment.id),
    ...withoutAbsent({
      HOOKLATCH_BRANCH: repository?.ref.kind === "branch" ? ref : null,
      HOOKLATCH_TAG: repository?.ref.kind === "tag" ? ref : null,
      HOOKLATCH_COMMIT: commit,
      HOOKLATCH_PREVIOUS_COMMIT: previousCommit,
      HOOKLATCH_REPOSITORY: repository?.fullName,
      HOOKLATCH_RELEASE: release,
      HOOKLATCH_DELIVERY: deployment.delivery?.toString(),
      HOOKLATCH_EVENT: event,
      HOOKLATCH_ACTION: action,
      HOOKLATCH_PAYLOAD_FILE: payloadFile,
    }),
  };
}

function withoutAbsent(variables: Readonly<Record<string, string | null | undefined>>) {
  const isPresent = (entry: [string, unknown]): entry is [string, string] => typeof entry[1] === "string";
  return Object.fromEntries(Object.entries(variables).filter(isPresent));
}
