import { hasToken } from "./credentials.ts";
import { askSsh, explainHostKey, type FailedCall, fingerprintOf, linesOf, readHost } from "./host-key.ts";

/**
 * Explains why the remote, or ssh, refused a call of git, and names the setting to check; null where git's last lines
 * have no known reason.
 */
export async function describeGitError(lines: readonly string[], call: FailedCall): Promise<string | null> {
  return (
    (await explainHostKey(lines, call)) ??
    explainKeyFile(lines) ??
    (await explainDenial(lines, call)) ??
    explainHttp(lines, call)
  );
}

/** ssh prints why it ignores a key file, and continues without it. */
function explainKeyFile(lines: readonly string[]): string | null {
  const [, open] = find(lines, /^Permissions \d+ for '(.+)' are too open\.$/);
  if (open !== undefined) return `ssh ignores the key ${open} because other users can read it: chmod 600 it`;
  const [, missing] = find(lines, /^no such identity: (.+): No such file or directory$/);
  if (missing !== undefined) return `the key ${missing} does not exist`;
  const [, useless, why] = find(lines, /^Load key "(.+)": (.+)$/);
  return useless === undefined ? null : `ssh cannot use the key ${useless}: ${why}`;
}

async function explainDenial(lines: readonly string[], call: FailedCall): Promise<string | null> {
  const [denial, name = ""] = find(lines, /^(?:\S+@)?(\S+): Permission denied \(.*publickey.*\)\.$/);
  const host = readHost(name);
  if (denial === undefined || host === null) return null;
  const said = denial.replace(/\.$/, "");
  const files = (await askSsh(host, call)).get("identityfile") ?? [];
  const shown: string[] = [];
  for (const file of files) {
    const key = await describeKeyFile(expand(file, call.env.HOME ?? "~"), call);
    if (key !== null) shown.push(key);
  }
  if (shown.length > 0) return `${said}: the host rejects ${shown.join(" or ")}`;
  return "SSH_AUTH_SOCK" in call.env ? said : `${said}: ssh found no key; set \`ssh_key\``;
}

/** Expands a path as ssh does: `~` is the account's directory, and `%%` a percent sign. */
function expand(file: string, home: string): string {
  return file.replace(/^~(?=\/)/, home).replaceAll("%%", "%");
}

/** A private key by its path, with its fingerprint or why ssh cannot use it; null when there is none. */
async function describeKeyFile(path: string, call: FailedCall): Promise<string | null> {
  const lines = await linesOf(["ssh-keygen", "-y", "-P", "", "-f", path], call);
  const key = lines.find((line) => /^(?:ssh|ecdsa|sk)-\S+ \S+/.test(line))?.split(" ")[1];
  if (key !== undefined) return `the key ${path} (${fingerprintOf(key)})`;
  if (lines.some((line) => line.endsWith("too open.")))
    return `the key ${path}, which other users can read: chmod 600 it`;
  if (!lines.some((line) => line.includes("incorrect passphrase"))) return null;
  return `the key ${path}, which needs a passphrase`;
}

function explainHttp(lines: readonly string[], { env }: FailedCall): string | null {
  const [, refusing] = find(
    lines,
    /(?:could not read (?:Username|Password) for|Authentication failed for|Git credentials for) '?(https?:\/\/[^\s'/]+)/,
  );
  if (refusing !== undefined) {
    const advice = hasToken(env, refusing)
      ? "check `token`"
      : "there is no such repository, or it needs a `token`";
    return `authentication failed at ${refusing}: ${advice}`;
  }
  const [, url, code = ""] = find(
    lines,
    /unable to access '(https?:\/\/[^']+)': The requested URL returned error: (\d{3})/,
  );
  if (url === undefined) return null;
  if (code === "403") return `${url} is forbidden: the \`token\` has no access`;
  return code.startsWith("3") ? `${url} has moved: correct \`clone_url\`` : null;
}

function find(lines: readonly string[], pattern: RegExp): readonly (string | undefined)[] {
  return lines.map((line) => pattern.exec(line)).findLast((found) => found !== null) ?? [];
}
