import { quote } from "./found.ts";

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
