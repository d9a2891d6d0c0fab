import { AppError } from "../../lib/errors.ts";
import { toOneLine } from "../../lib/text.ts";
import { hasToken } from "./credentials.ts";
import { askSsh, explainHostKey, type FailedCall, fingerprintOf, linesOf, readHost } from "./host-key.ts";

/**
 * Says in a person's terms why the other end, or our own ssh, refused, and which setting to look at; null where the
 * last lines of git tell of no refusal that we know.
 */
export async function describeGitError(lines: readonly string[], call: FailedCall): Promise<string | null> {
  return (
    (await explainHostKey(lines, call)) ??
    explainKeyFile(lines) ??
    (await explainDenial(lines, call)) ??
    explainHttp(lines, call)
  );
}

/** Ssh says of a key file that it does not take why, and then goes on without it. */
function explainKeyFile(lines: readonly string[]): string | null {
  const [, open] = find(lines, /^Permissions \d+ for '(.+)' are too open\.$/);
  if (open !== undefined) return `ssh does not take the key ${open}, as others may read it: chmod 600 it`;
  const [, missing] = find(lines, /^no such identity: (.+): No such file or directory$/);
  if (missing !== undefined) return `there is no key ${missing}`;
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
  if (shown.length > 0) return `${said}: the host does not take ${shown.join(" or ")}`;
  return "SSH_AUTH_SOCK" in call.env ? said : `${said}: there was no key to show; set \`ssh_key\``;
}

/** As ssh reads it: `~` is the account's own directory, and `%%` a percent sign. */
function expand(file: string, home: string): string {
  return file.replace(/^~(?=\/)/, home).replaceAll("%%", "%");
}

/** A private key by its path, and its fingerprint or why it is of no use; null when there is none. */
async function describeKeyFile(path: string, call: FailedCall): Promise<string | null> {
  const lines = await linesOf(["ssh-keygen", "-y", "-P", "", "-f", path], call);
  const key = lines.find((line) => /^(?:ssh|ecdsa|sk)-\S+ \S+/.test(line))?.split(" ")[1];
  if (key !== undefined) return `the key ${path} (${fingerprintOf(key)})`;
  if (lines.some((line) => line.endsWith("too open.")))
    return `the key ${path}, which others may read: chmod 600 it`;
  if (!lines.some((line) => line.includes("incorrect passphrase"))) return null;
  return `the key ${path}, which has a passphrase that nobody is there to type`;
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
  if (code === "403") return `${url} is forbidden: the \`token\` does not open it`;
  return code.startsWith("3") ? `${url} has moved: correct \`clone_url\`` : null;
}

function find(lines: readonly string[], pattern: RegExp): readonly (string | undefined)[] {
  return lines.map((line) => pattern.exec(line)).findLast((found) => found !== null) ?? [];
}

/** What went wrong, as the one line that people read of it. */
export function explain(error: unknown): string {
  if (error instanceof AppError) return toOneLine(error.message);
  if (!(error instanceof Error)) return "internal error";
  // A fault of the machine's (EACCES, ENOSPC) says itself what and where; anything else is a fault of ours.
  return "code" in error ? toOneLine(error.message) : `internal error: ${toOneLine(error.message)}`;
}
