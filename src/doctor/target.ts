import { existsSync } from "node:fs";
import { join } from "node:path";
import { transportOf } from "../config/repository.ts";
import { readRemoteTip } from "../deploy/git/ls-remote.ts";
import { REQUEST_TIMEOUT, requestHealth, withoutSecrets } from "../deploy/health.ts";
import { cleanEnvironment } from "../deploy/process/environment.ts";
import { runProcess } from "../deploy/process/process.ts";
import type { RemoteTip, Target, WatchedRef, WatchedRepository } from "../domain/target.ts";
import { shortenCommit } from "../lib/text.ts";
import { checkCommands } from "./commands.ts";
import {
  checkDirectory,
  checkFile,
  isEmpty,
  isInPath,
  isOpenToOthers,
  isOurs,
  nameUser,
  ownerOf,
} from "./files.ts";
import { type CheckResult, fail, ok, warn } from "./index.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** In what a target is looked at. */
export interface TargetCheckContext {
  readonly env: Environment;
  /** The number of the user that the service runs as, as far as that is known; null where there are no users. */
  readonly user: number | null;
  /** Whether its source tells which branch was pushed in any case, as a forge's does. */
  readonly tellsPushes: boolean;
}

/** What one target needs: its directory, what it reaches the repository with, the repository, its commands. */
export async function checkTarget(
  target: Target,
  ground: TargetCheckContext,
): Promise<readonly CheckResult[]> {
  const [health, remote] = await Promise.all([checkHealth(target), checkRemote(target, ground.env)]);
  return [
    ...checkPlace(target, ground.user),
    ...checkAccess(target, ground.env),
    ...checkSigners(target, ground.env),
    ...checkCommands(target, ground.env),
    ...health,
    ...remote,
    ...checkSource(target, ground),
  ];
}

function checkPlace(target: Target, user: number | null): CheckResult[] {
  const { name, repository, directory, layout } = target;
  if (repository === null && !existsSync(directory)) {
    return [
      fail(
        `target ${name}: directory ${directory} does not exist; commands cannot run there: make it, for the service's user`,
      ),
    ];
  }
  const found = checkDirectory(`target ${name}: directory`, directory);
  if (repository === null || layout !== "worktree" || found.level !== "ok") return [found];
  if (!mayBeCheckout(directory)) {
    return [
      fail(
        `target ${name}: directory ${directory} has files in it and is not a git checkout; empty it, or choose another directory`,
      ),
    ];
  }
  return [checkOwner(target, user) ?? found];
}

/** A directory with files that are not from a checkout is not deployed to: they would go. */
function mayBeCheckout(directory: string): boolean {
  return !existsSync(directory) || existsSync(join(directory, ".git")) || isEmpty(directory);
}

/** Git does nothing in a checkout of somebody else's (git-config(1), "safe.directory"). */
function checkOwner({ name, directory }: Target, user: number | null): CheckResult | null {
  const owner = ownerOf(directory);
  if (owner === null || user === null || owner === user) return null;
  const service = nameUser(user);
  return warn(
    `target ${name}: directory ${directory} belongs to ${nameUser(owner)}, and git refuses other users' checkouts: chown -R ${service.replace("#", "")} ${directory}`,
  );
}

function checkAccess(target: Target, env: Environment): CheckResult[] {
  const { name, access, repository } = target;
  const { sshKey, knownHosts } = access;
  return [
    ...(repository !== null && transportOf(repository.cloneUrl) === "ssh" ? checkSsh(target, env) : []),
    ...(sshKey === null ? [] : [checkKey(`target ${name}: ssh_key`, sshKey)]),
    ...(knownHosts === null
      ? []
      : [checkFile(`target ${name}: known_hosts`, knownHosts, "make it with the line of the host's key")]),
  ];
}

function checkSsh(target: Target, env: Environment): CheckResult[] {
  const clean = cleanEnvironment(target, env);
  if ("GIT_SSH_COMMAND" in clean || "GIT_SSH" in clean || isInPath("ssh", clean.PATH ?? "")) return [];
  const missing = "ssh, which git reaches the repository with, was not found in PATH; install it";
  return [fail(`target ${target.name}: ${missing} (Debian: apt-get install openssh-client)`)];
}

/** Of a key of one's own that others may read ssh says that it is too open, and leaves it (ssh(1), "FILES"). */
function checkKey(what: string, file: string): CheckResult {
  const found = checkFile(what, file, `make one (ssh-keygen -t ed25519 -N "" -f ${file})`);
  return found.level === "ok" && isOurs(file) && isOpenToOthers(file)
    ? fail(`${what} ${file} is open to others on this machine, so ssh refuses it: chmod go= ${file}`)
    : found;
}

function checkSigners(target: Target, env: Environment): CheckResult[] {
  const { name, allowedSigners } = target;
  if (allowedSigners === null) return [];
  const file = checkFile(
    `target ${name}: allowed_signers`,
    allowedSigners,
    "make it with a line for each key (ALLOWED SIGNERS in ssh-keygen(1))",
  );
  if (isInPath("ssh-keygen", cleanEnvironment(target, env).PATH ?? "")) return [file];
  const missing = "ssh-keygen, which verifies signatures, was not found in PATH; install it";
  return [file, fail(`target ${name}: ${missing} (Debian: apt-get install openssh-client)`)];
}

async function checkRemote(target: Target, env: Environment): Promise<readonly CheckResult[]> {
  if (target.repository === null) return [];
  const { cloneUrl, ref }: WatchedRepository = target.repository;
  const what = `target ${target.name}: ${ref.kind === "branch" ? `branch ${ref.name}` : `tags ${ref.pattern}`} of ${cloneUrl}`;
  const answer = await readRemoteTip(target, { run: runProcess, env });
  if (answer.kind === "found") return [ok(`${what} at ${shortenCommit(answer.commit)}`)];
  return [
    fail(
      answer.kind === "absent"
        ? `${what}: ${explainAbsence(ref)}`
        : `${what}: git ls-remote ${answer.reason}${advise(answer)}`,
    ),
  ];
}

const CHECK_NETWORK = "let this machine reach the host in clone_url";

/** What to do, by the words of git and of the programs that it calls. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/could not resolve host/i, "correct the host in clone_url, or this machine's DNS (/etc/resolv.conf)"],
  [
    /connection refused|could ?n[o']t connect|failed to connect/i,
    "correct host and port in clone_url, or start what should answer there",
  ],
  [/no route to host|network is unreachable|timed out/i, CHECK_NETWORK],
  [/does not appear to be a git repository|repository .* not found/i, "correct the path in clone_url"],
];

function advise({ isTimeout, reason }: Extract<RemoteTip, { kind: "unreachable" }>): string {
  const [, known] = ADVICE.find(([words]) => words.test(reason)) ?? [];
  const advice = isTimeout ? CHECK_NETWORK : known;
  return advice === undefined ? "" : `; ${advice}`;
}

function explainAbsence(ref: WatchedRef): string {
  return ref.kind === "branch"
    ? "there is no such branch: push it, or name another"
    : "no tag matches yet: the first one that is pushed is deployed";
}

/** A source of any JSON reaches a target with a repository only where the body happens to be a forge's push. */
function checkSource(
  { name, source, repository }: Target,
  { tellsPushes }: TargetCheckContext,
): CheckResult[] {
  if (repository === null || tellsPushes) return [];
  return [
    warn(
      `target ${name}: source ${source} takes any JSON, and only a body with ref and repository.full_name, as a forge's push has, deploys it; for any other, leave out repository`,
    ),
  ];
}

/** What the health URL answers now, asked as a deployment asks. */
export async function checkHealth({ name, health }: Target): Promise<readonly CheckResult[]> {
  if (health === null) return [];
  const { isHealthy, summary, detail } = await requestHealth(
    health.url,
    REQUEST_TIMEOUT,
    new AbortController().signal,
  );
  const text = `target ${name}: health ${withoutSecrets(health.url)} ${summary}${detail}`;
  if (isHealthy) return [ok(text)];
  return [
    warn(
      `${text}: expected before the first deployment, but a deployment fails when this lasts for ${health.within / 1_000} s`,
    ),
  ];
}
