import { existsSync } from "node:fs";
import { join } from "node:path";
import { transportOf } from "../config/repository.ts";
import { findKeyFileProblem } from "../deploy/git/key-file.ts";
import { readRemoteTip } from "../deploy/git/ls-remote.ts";
import { REQUEST_TIMEOUT, requestHealth, withoutSecrets } from "../deploy/health.ts";
import { cleanEnvironment } from "../deploy/process/environment.ts";
import { runProcess } from "../deploy/process/process.ts";
import type { Target } from "../domain/target.ts";
import { shortenCommit } from "../lib/text.ts";
import { type CheckResult, fail, ok, warn } from "./check-result.ts";
import { checkCommands } from "./commands.ts";
import { checkDirectory, checkFile, isEmpty, isInPath, isOpenToOthers, nameUser, ownerOf } from "./files.ts";

/** The environment, the user of the service and the kind of source, for {@link checkTarget}. */
export interface TargetCheckContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The uid that the service runs as; null on a system without uids. */
  readonly user: number | null;
  /** Whether the provider of the target's source is a forge, whose pushes name their branch. */
  readonly reportsPushes: boolean;
}

/** Checks the directory, the repository, its credentials, the commands and the health URL of a target. */
export async function checkTarget(
  target: Target,
  context: TargetCheckContext,
): Promise<readonly CheckResult[]> {
  const environment = cleanEnvironment(target, context.env);
  const [commands, health, remote] = await Promise.all([
    checkCommands(target, context.env),
    checkHealth(target),
    checkRemote(target, context.env),
  ]);
  return [
    checkPlace(target, context.user),
    ...checkAccess(target, environment),
    ...checkSigners(target, environment),
    ...commands,
    ...health,
    ...remote,
    ...checkSource(target, context),
  ];
}

function checkPlace({ name, repository, directory, layout }: Target, user: number | null): CheckResult {
  const label = `target ${name}: directory`;
  if (repository === null && !existsSync(directory)) {
    return fail(
      `${label} ${directory} does not exist, so commands cannot run: create it for the service's user`,
    );
  }
  const result = checkDirectory(label, directory);
  if (repository === null || layout !== "worktree" || result.level !== "ok") return result;
  // A deployment would delete other files.
  if (existsSync(directory) && !existsSync(join(directory, ".git")) && !isEmpty(directory)) {
    return fail(
      `${label} ${directory} is not empty and not a git checkout: empty it, or set another directory`,
    );
  }
  const owner = ownerOf(directory);
  if (owner === null || user === null || owner === user) return result;
  // See safe.directory in git-config(1).
  const service = nameUser(user).replace("#", "");
  return warn(
    `${label} ${directory} belongs to ${nameUser(owner)}, and git rejects checkouts of other users: run chown -R ${service} ${directory}`,
  );
}

type Environment = Readonly<Record<string, string>>;

function checkAccess({ name, access, repository }: Target, env: Environment): readonly CheckResult[] {
  const { sshKey, knownHosts } = access;
  const usesSsh = repository !== null && transportOf(repository.cloneUrl) === "ssh";
  const isSshSet = "GIT_SSH_COMMAND" in env || "GIT_SSH" in env;
  return [
    ...(usesSsh && !isSshSet ? checkProgram(name, "ssh", env) : []),
    ...(sshKey === null ? [] : [checkKey(`target ${name}: ssh_key`, sshKey)]),
    ...(knownHosts === null
      ? []
      : [checkFile(`target ${name}: known_hosts`, knownHosts, "create it with the key of the host")]),
  ];
}

/** Both programs are in one package. */
function checkProgram(name: string, program: "ssh" | "ssh-keygen", env: Environment): readonly CheckResult[] {
  if (isInPath(program, env.PATH ?? "")) return [];
  return [
    fail(`target ${name}: ${program} not found in PATH; install it (Debian: apt-get install openssh-client)`),
  ];
}

/** ssh ignores a key of the current user that others may read (ssh(1), "FILES"). */
function checkKey(label: string, file: string): CheckResult {
  const result = checkFile(label, file, `create it with ssh-keygen -t ed25519 -N "" -f ${file}`);
  if (result.level !== "ok") return result;
  if (ownerOf(file) === process.getuid?.() && isOpenToOthers(file)) {
    return fail(`${label} ${file} is accessible to other users, so ssh ignores it: run chmod go= ${file}`);
  }
  const problem = findKeyFileProblem(file);
  return problem === null ? result : fail(`${label} ${file} ${problem}`);
}

function checkSigners({ name, allowedSigners }: Target, env: Environment): readonly CheckResult[] {
  if (allowedSigners === null) return [];
  const remedy = "create it with one line per key (ALLOWED SIGNERS in ssh-keygen(1))";
  return [
    checkFile(`target ${name}: allowed_signers`, allowedSigners, remedy),
    ...checkProgram(name, "ssh-keygen", env),
  ];
}

async function checkRemote(target: Target, env: TargetCheckContext["env"]): Promise<readonly CheckResult[]> {
  if (target.repository === null) return [];
  const { cloneUrl, ref } = target.repository;
  const name = ref.kind === "branch" ? `branch ${ref.name}` : `tags ${ref.pattern}`;
  const label = `target ${target.name}: ${name} of ${cloneUrl}`;
  const tip = await readRemoteTip(target, { run: runProcess, env });
  switch (tip.kind) {
    case "found":
      return [ok(`${label} at ${shortenCommit(tip.commit)}`)];
    case "absent":
      return [
        ref.kind === "branch"
          ? fail(`${label} does not exist: push it, or set another branch`)
          : warn(`${label}: no tag matches yet; the first one that is pushed is deployed`),
      ];
    case "unreachable":
      return [fail(`${label}: git ls-remote ${tip.reason}; check clone_url and the network`)];
  }
}

function checkSource(
  { name, source, repository }: Target,
  context: TargetCheckContext,
): readonly CheckResult[] {
  if (repository === null || context.reportsPushes) return [];
  return [
    warn(
      `target ${name}: source ${source} accepts any JSON, but the target is deployed only by a body with ref, after and repository.full_name; remove repository to deploy it by any body`,
    ),
  ];
}

/** Requests the health URL once, as a deployment does. */
async function checkHealth({ name, health }: Target): Promise<readonly CheckResult[]> {
  if (health === null) return [];
  const { signal } = new AbortController();
  const { isHealthy, summary, detail } = await requestHealth(health.url, REQUEST_TIMEOUT, signal);
  const text = `target ${name}: health ${withoutSecrets(health.url)} ${summary}${detail}`;
  if (isHealthy) return [ok(text)];
  const limit = `${health.within / 1_000} s`;
  return [warn(`${text}; normal before the first deployment, but a deployment fails if it lasts ${limit}`)];
}
