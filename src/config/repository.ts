import { isAbsolute, resolve } from "node:path";
import type { Provider } from "../domain/provider.ts";
import type { WatchedRef, WatchedRepository } from "../domain/target.ts";
import type { ReadContext } from "./read/context.ts";
import { child } from "./read/issues.ts";
import { formatValue, quote } from "./read/table.ts";
import type { TargetSection } from "./schema.ts";

/** Keys that say nothing where there is no repository. */
const NEEDS_REPOSITORY = [
  "branch",
  "tag",
  "clone_url",
  "ssh_key",
  "known_hosts",
  "token",
  "paths",
  "ignore_paths",
  "verify_commit",
  "allowed_signers",
  "layout",
  "shared",
  "keep_releases",
  "catch_up",
  "status_token",
  "status_url",
] as const;

/**
 * What a target watches; null for one without a repository, undefined when something is wrong with it.
 * Without a provider, because the source is faulty, no clone URL is asked for.
 */
export function readRepository(
  section: TargetSection,
  provider: Provider | undefined,
  ground: ReadContext,
): WatchedRepository | null | undefined {
  if (!section.has("repository")) {
    for (const key of NEEDS_REPOSITORY.filter((key) => section.has(key))) {
      ground.report.fault(child(section.place, key), 'expected "repository" beside it, found none');
    }
    return null;
  }
  const ref = readRef(section, ground);
  const cloneUrl = readCloneUrl(section, provider, ground);
  const { repository } = section.values;
  if (repository === undefined || ref === undefined || cloneUrl === undefined) return undefined;
  return Object.freeze({ fullName: repository, ref, cloneUrl });
}

function readRef({ has, place, values }: TargetSection, { report }: ReadContext): WatchedRef | undefined {
  if (has("branch") === has("tag")) {
    const found = has("branch") ? "both" : "neither";
    report.fault(place, `expected one of "branch" and "tag" beside "repository", found ${found}`);
  }
  const { branch, tag } = values;
  const noBranch = branch === undefined ? null : whyNoBranch(branch);
  if (noBranch !== null) {
    const found = formatValue(branch);
    report.fault(child(place, "branch"), `expected the name of a branch, found ${found}: ${noBranch}`);
  }
  const noTag = tag === undefined ? null : whyNoTagPattern(tag);
  if (noTag !== null) {
    const found = formatValue(tag);
    report.fault(child(place, "tag"), `expected a tag or a pattern such as "v*", found ${found}: ${noTag}`);
  }
  if (branch !== undefined) return Object.freeze({ kind: "branch", name: branch });
  return tag === undefined ? undefined : Object.freeze({ kind: "tag", pattern: tag });
}

function readCloneUrl(
  { has, place, values }: TargetSection,
  provider: Provider | undefined,
  { directory, report }: ReadContext,
): string | undefined {
  const at = child(place, "clone_url");
  if (values.clone_url !== undefined) {
    const checked = checkCloneUrl(values.clone_url, directory);
    if (checked.ok) return checked.url;
    report.fault(at, `expected ${checked.expected}`);
  }
  if (has("clone_url") || values.repository === undefined || provider === undefined) return undefined;
  const url = provider.cloneUrl(values.repository) ?? undefined;
  if (url === undefined) {
    report.fault(
      at,
      `expected an address to clone from, which provider "${provider.name}" does not tell, found nothing`,
    );
  }
  return url;
}

/**
 * Why a text can be no branch's name, and what to do; null when it can.
 * The rules are git's (git-check-ref-format(1)), and two of our own: no leading `-`, which git's commands take
 * for an option, and no full ref name, which would be looked for below `refs/heads/`.
 */
export function whyNoBranch(name: string): string | null {
  return whyNotBelow("refs/heads/", name) ?? whyNoRef(name);
}

/** The same for a tag, or a pattern of tags in which `*` stands for any text. */
export function whyNoTagPattern(pattern: string): string | null {
  return whyNotBelow("refs/tags/", pattern) ?? whyNoRef(pattern.replaceAll("*", "x"));
}

function whyNotBelow(prefix: string, name: string): string | null {
  if (name.startsWith(prefix)) return `write ${quote(name.slice(prefix.length))}`;
  if (name.startsWith("refs/")) return "write the short name, without refs/";
  if (name.startsWith("-")) return "git would take it for an option";
  return name === "HEAD" ? "it means whatever is checked out" : null;
}

function whyNoRef(name: string): string | null {
  return isRefName(name) ? null : "git allows no such name (see git-check-ref-format)";
}

/** Whether `refs/heads/<name>` is a ref name for git. */
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

/** An address that git may clone from, or what is expected instead: words that never repeat it. */
export type CloneUrl =
  | { readonly ok: true; readonly url: string }
  | { readonly ok: false; readonly expected: string };

/**
 * Checks an address for git, and makes a local path absolute. Only transports that git itself speaks are let
 * through: `ext::` runs commands, and any unknown scheme starts a helper program (gitremote-helpers(7)).
 */
export function checkCloneUrl(text: string, directory: string): CloneUrl {
  if (text === "" || text.startsWith("-") || /\p{Cc}/u.test(text)) {
    return { ok: false, expected: 'an address without control characters and without "-" at its start' };
  }
  if (/^[\w+.-]+::/.test(text))
    return { ok: false, expected: 'an address without a "transport::" before it' };
  const scheme = /^([\w+.-]+):\/\//.exec(text)?.[1]?.toLowerCase();
  if (scheme !== undefined) return checkUrl(text, scheme);
  // As git reads it: a colon before the first slash makes it `[user@]host:path`.
  if (/^[^/]*:/.test(text)) return checkScpForm(text);
  return { ok: true, url: isAbsolute(text) ? text : resolve(directory, text) };
}

/** How git reaches an address that passed its check. */
export function transportOf(url: string): "https" | "http" | "ssh" | "git" | "file" {
  const scheme = /^([\w+.-]+):\/\//.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined) return /^[^/]*:/.test(url) ? "ssh" : "file";
  return TRANSPORTS.find((known) => known === scheme) ?? "file";
}

function checkUrl(text: string, scheme: string): CloneUrl {
  if (!TRANSPORTS.some((known) => known === scheme)) {
    return { ok: false, expected: "an https, http, ssh, git or file URL" };
  }
  const authority = /^[^/]*:\/\/([^/?#\\]*)/.exec(text)?.[1] ?? "";
  const user = authority.slice(0, Math.max(0, authority.lastIndexOf("@")));
  const host = authority.slice(authority.lastIndexOf("@") + 1);
  if (host.startsWith("-") || user.startsWith("-"))
    return { ok: false, expected: 'a host without "-" at its start' };
  if (scheme === "ssh" && user.includes(":")) {
    return { ok: false, expected: 'a URL without a password: name an SSH deploy key in "ssh_key"' };
  }
  // A token is often the user name alone: https://<token>@github.com/…
  if (scheme !== "ssh" && user !== "") {
    return { ok: false, expected: 'a URL without a password or token: that belongs into "token"' };
  }
  if (host === "" && scheme !== "file") return { ok: false, expected: "a URL with a host" };
  return { ok: true, url: text };
}

function checkScpForm(text: string): CloneUrl {
  const host = text.slice(text.indexOf("@") + 1);
  return host.startsWith("-") || /^[^@]*:[^@]*@/.test(text)
    ? { ok: false, expected: 'an address such as "git@github.com:octocat/blog.git"' }
    : { ok: true, url: text };
}
