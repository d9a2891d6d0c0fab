import { isAbsolute, resolve } from "node:path";

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
