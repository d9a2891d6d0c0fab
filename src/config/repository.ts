import { isAbsolute, resolve } from "node:path";
import type { WatchedRef, WatchedRepository } from "../domain/target.ts";
import type { ReadContext } from "./read/context.ts";
import { child, formatValue, quote } from "./read/issues.ts";
import { describeExpansion, hasVariable, needsShell } from "./read/paths.ts";
import type { CheckedSource } from "./source.ts";
import { type TargetSettings, TargetTable } from "./target-schema.ts";

/** Keys that have a meaning without a repository. */
const INDEPENDENT = [
  "name",
  "source",
  "directory",
  "run",
  "after",
  "path",
  "env",
  "pass_env",
  "payload_env",
  "events",
  "when",
  "timeout",
  "health",
  "queue",
  "hosts",
  "rollout",
];

/**
 * Reads what a target watches; null for a target without a repository, undefined when it has faults. Without a source, or
 * with a faulty one, a missing clone URL is no fault.
 */
export function readRepository(
  target: TargetSettings,
  source: CheckedSource | undefined,
  context: ReadContext,
): WatchedRepository | null | undefined {
  if (!target.has("repository")) {
    for (const key of Object.keys(TargetTable.properties)) {
      if (INDEPENDENT.includes(key) || !target.has(key as keyof typeof TargetTable.properties)) continue;
      context.issues.fault(child(target.place, key), 'needs "repository": add it, or remove this key');
    }
    return null;
  }
  const ref = readRef(target, context);
  const cloneUrl = readCloneUrl(target, source, context);
  const { repository } = target.values;
  if (repository !== undefined) checkDepth(repository, target, source, context);
  if (repository === undefined || ref === undefined || cloneUrl === undefined) return undefined;
  const path = source?.forge?.commitPath(repository) ?? null;
  const host = webHostOf(cloneUrl);
  const page = path === null || host === null ? {} : { commitUrl: `${host}${path}` };
  return Object.freeze({ fullName: repository, ref, cloneUrl, depth: target.values.depth ?? null, ...page });
}

/** The https address of the host of a checked clone URL; null for a local one. The port of ssh is not that of https. */
function webHostOf(cloneUrl: string): string | null {
  const transport = transportOf(cloneUrl);
  if (transport === "https" || transport === "http") return new URL(cloneUrl).origin;
  if (transport !== "ssh") return null;
  const [, host] = /^(?:ssh:\/\/)?(?:[^@/]*@)?([A-Za-z0-9.-]+)[:/]/.exec(cloneUrl) ?? [];
  return host === undefined ? null : `https://${host}`;
}

function readRef({ has, place, values }: TargetSettings, { issues }: ReadContext): WatchedRef | undefined {
  const { branch, tag } = values;
  if (has("branch") && has("tag")) issues.fault(place, 'set "branch" or "tag", not both');
  if (!has("branch") && !has("tag"))
    issues.fault(place, 'a target with "repository" needs "branch" or "tag"');
  if (has("prereleases") && !has("tag")) issues.fault(child(place, "prereleases"), 'needs "tag"');
  const branchProblem = branch === undefined ? null : findBranchProblem(branch);
  if (branchProblem !== null) {
    const found = `found ${formatValue(branch)}: ${branchProblem}`;
    issues.fault(child(place, "branch"), `expected the name of a branch, ${found}`);
  }
  const tagProblem = tag === undefined ? null : findTagProblem(tag);
  if (tagProblem !== null) {
    const found = `found ${formatValue(tag)}: ${tagProblem}`;
    issues.fault(child(place, "tag"), `expected a tag or a pattern such as "v*", ${found}`);
  }
  if (branch !== undefined) return Object.freeze({ kind: "branch", name: branch });
  if (tag === undefined) return undefined;
  return Object.freeze({ kind: "tag", pattern: tag, prereleases: values.prereleases });
}

function readCloneUrl(
  { has, place, values }: TargetSettings,
  source: CheckedSource | undefined,
  context: ReadContext,
): string | undefined {
  const { directory, issues } = context;
  const at = child(place, "clone_url");
  if (values.clone_url !== undefined) {
    const checked = checkCloneUrl(values.clone_url, directory);
    const problem =
      checked.kind === "invalid" ? `expected ${checked.expected}` : findExpansion(values.clone_url, context);
    if (checked.kind === "valid" && problem === null) return checked.url;
    if (problem !== null) issues.fault(at, problem);
  }
  if (has("clone_url") || values.repository === undefined || source?.forge === undefined) return undefined;
  const url = source.forge.cloneUrl(values.repository) ?? undefined;
  if (url === undefined) {
    const { provider } = source;
    const isKnownWithHost = provider?.cloneUrl(values.repository, { base_url: "https://git.example.com" });
    const remedy = isKnownWithHost ? "set it, or base_url in the source" : "set it";
    issues.fault(at, `is missing: provider "${provider?.name}" has no default URL to clone from; ${remedy}`);
  }
  return url;
}

/** A name with too many slashes would never match a payload. */
function checkDepth(
  repository: string,
  { place }: TargetSettings,
  source: CheckedSource | undefined,
  { issues }: ReadContext,
): void {
  if (repository.split("/").length === 2 || (source?.provider?.hasNestedRepositories ?? true)) return;
  const found = `found ${formatValue(repository)}`;
  issues.fault(child(place, "repository"), `expected a repository as "owner/name", ${found}`);
}

/**
 * What a shell would expand in a valid clone URL; null for nothing. The remote expands the `~` of an ssh address. Only a
 * path on this machine is repeated: other addresses may hold a secret.
 */
function findExpansion(url: string, context: ReadContext): string | null {
  if (schemeOf(url) === undefined && transportOf(url) === "file") {
    return needsShell(url) ? describeExpansion(url, context) : null;
  }
  return hasVariable(url) ? "variables are not expanded here: write the whole address" : null;
}

/**
 * Why a text cannot be a branch's name, and what to do; null when it can. The rules are git's
 * (git-check-ref-format(1)) and two more: no leading `-`, which git's commands take for an option, and no full ref
 * name, which would be searched below `refs/heads/`.
 */
export function findBranchProblem(name: string): string | null {
  return findPrefixProblem("refs/heads/", name) ?? findRefNameProblem(name);
}

/** As {@link findBranchProblem}, for a tag or a pattern in which `*` matches any text. */
export function findTagProblem(pattern: string): string | null {
  return findPrefixProblem("refs/tags/", pattern) ?? findRefNameProblem(pattern.replaceAll("*", "x"));
}

function findPrefixProblem(prefix: string, name: string): string | null {
  if (name.startsWith(prefix)) return `write ${quote(name.slice(prefix.length))}`;
  if (name.startsWith("refs/")) return "write the short name, without refs/";
  if (name.startsWith("-")) return "git would read it as an option";
  return name === "HEAD" ? "HEAD is not a branch" : null;
}

function findRefNameProblem(name: string): string | null {
  return isRefName(name) ? null : "git does not allow this name (see git-check-ref-format)";
}

/** Whether git accepts `refs/heads/<name>`. */
function isRefName(name: string): boolean {
  const hasControl = Array.from(name).some((character) => character <= " " || character === "\x7f");
  return (
    !hasControl &&
    !/[~^:?*[\\]|\.\.|@\{/.test(name) &&
    !name.endsWith(".") &&
    name.split("/").every((part) => part !== "" && !part.startsWith(".") && !part.endsWith(".lock"))
  );
}

const TRANSPORTS = ["https", "http", "ssh", "git", "file"] as const;

/** How git reaches a repository. */
export type Transport = (typeof TRANSPORTS)[number];

/** A checked clone URL. `expected` completes "expected …" and never repeats the text, which may hold a secret. */
export type CheckedCloneUrl =
  | { readonly kind: "valid"; readonly url: string }
  | { readonly kind: "invalid"; readonly expected: string };

/**
 * Checks a clone URL and makes a local path absolute. Only transports of git itself are allowed: `ext::` runs commands,
 * and an unknown scheme starts a helper program (gitremote-helpers(7)).
 */
export function checkCloneUrl(text: string, directory: string): CheckedCloneUrl {
  if (text === "" || text.startsWith("-") || /\p{Cc}/u.test(text)) {
    return invalid('an address without control characters and without "-" at its start');
  }
  if (/^[\w+.-]+::/.test(text)) return invalid('an address without a "transport::" prefix');
  const scheme = schemeOf(text);
  if (scheme !== undefined) return checkUrl(text, scheme);
  // Git reads a colon before the first slash as `[user@]host:path`.
  if (/^[^/]*:/.test(text)) return checkScpForm(text);
  return valid(isAbsolute(text) ? text : resolve(directory, text));
}

/** The transport of a checked clone URL. */
export function transportOf(url: string): Transport {
  const scheme = schemeOf(url);
  if (scheme === undefined) return /^[^/]*:/.test(url) ? "ssh" : "file";
  return TRANSPORTS.find((known) => known === scheme) ?? "file";
}

function schemeOf(text: string): string | undefined {
  return /^([\w+.-]+):\/\//.exec(text)?.[1]?.toLowerCase();
}

function checkUrl(text: string, scheme: string): CheckedCloneUrl {
  if (!TRANSPORTS.some((known) => known === scheme)) return invalid("an https, http, ssh, git or file URL");
  const authority = /^[^/]*:\/\/([^/?#\\]*)/.exec(text)?.[1] ?? "";
  const user = authority.slice(0, Math.max(0, authority.lastIndexOf("@")));
  const host = authority.slice(authority.lastIndexOf("@") + 1);
  if (host.startsWith("-") || user.startsWith("-")) return invalid('a host without "-" at its start');
  if (scheme === "ssh" && user.includes(":")) {
    return invalid('a URL without a password: set an SSH deploy key in "ssh_key"');
  }
  // A token is often the user name alone: https://<token>@github.com/…
  if (scheme !== "ssh" && user !== "") {
    return invalid('a URL without a password or token: set it in "token"');
  }
  return host === "" && scheme !== "file" ? invalid("a URL with a host") : valid(text);
}

function checkScpForm(text: string): CheckedCloneUrl {
  const host = text.slice(text.indexOf("@") + 1);
  return host.startsWith("-") || /^[^@]*:[^@]*@/.test(text)
    ? invalid('an address such as "git@github.com:octocat/blog.git"')
    : valid(text);
}

function valid(url: string): CheckedCloneUrl {
  return { kind: "valid", url };
}

function invalid(expected: string): CheckedCloneUrl {
  return { kind: "invalid", expected };
}
