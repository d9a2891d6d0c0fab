import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import type { RunProcess } from "../../domain/layout.ts";
import { describeCommand } from "../../domain/target.ts";
import { userName } from "../../lib/os-user.ts";
import { hasToken } from "./credentials.ts";

/** Milliseconds that a program may take whose output explains a failure. */
const TIMEOUT = 8_000;

/** Characters of the longest host key line that a reason quotes. A longer one, such as an RSA key's, would be cut. */
const MAX_LINE = 250;

/** How a failed git was run. */
export interface FailedCall {
  readonly run: RunProcess;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly signal: AbortSignal;
}

/**
 * Explains why the remote or ssh refused a call of git, and names the setting to check. Resolves with null when git's
 * last lines have no known reason.
 */
export async function describeGitError(lines: readonly string[], call: FailedCall): Promise<string | null> {
  return (
    (await explainHostKey(lines, call)) ??
    explainKeyFile(lines) ??
    explainOwner(lines, call) ??
    (await explainDenial(lines, call)) ??
    explainHttp(lines, call)
  );
}

/** ssh's messages. The host is written as in known_hosts (sshd(8)): `[name]:port`, or the name alone for port 22. */
const UNKNOWN_HOST =
  /^No (?<type>\S+) host key is known for (?<name>\S+) and you have requested strict checking\./;
const CHANGED_HOST = /^Host key for (?<name>\S+) has changed and you have requested strict checking\./;

/** The reason contains the key that the host shows, which people have to compare before they trust it. */
async function explainHostKey(lines: readonly string[], call: FailedCall): Promise<string | null> {
  const unknown = find(lines, UNKNOWN_HOST);
  const { type = "", name = "" } = (unknown ?? find(lines, CHANGED_HOST))?.groups ?? {};
  const host = readHost(name);
  if (host === null) return null;
  const [paths = "known_hosts"] = (await readSshConfig(host, call)).get("userknownhostsfile") ?? [];
  // The first of a list. A path may contain spaces; the next one begins at a root.
  const file = paths.replace(/ [/~].*$/, "");
  const line = await scanHostKey(host, type, call);
  const shown = line === null ? "" : `: the host shows ${describeHostKey(line)}`;
  if (unknown !== null) {
    const problem = `the host key of ${name} is not in ${file}${shown}`;
    if (line === null) return `${problem}; add the line with the key that the host publishes`;
    return `${problem}; compare that with the key that the host publishes, then ${describeAdding(line, host)}`;
  }
  const problem = `the host key of ${name} is no longer the one in ${file}${shown}`;
  const remove = describeCommand(["ssh-keygen", "-f", file, "-R", name]);
  const add = line === null ? "add the new one" : describeAdding(line, host);
  return `${problem}; the connection may be intercepted: only if the host publishes that change, remove the old line (${remove}) and ${add}`;
}

function describeAdding(line: string, { name, port }: Host): string {
  if (line.length <= MAX_LINE) return `add this line: ${line}`;
  return `add the line with that fingerprint from ssh-keyscan -p ${port} ${name}`;
}

/** The type and fingerprint of the key in a line for known_hosts. */
function describeHostKey(line: string): string {
  const [, type, key = ""] = line.split(" ");
  return `${type} ${fingerprintOf(key)}`;
}

/** The SHA-256 fingerprint of a public key in base64, as ssh-keygen(1) and the forges print it. */
export function fingerprintOf(key: string): string {
  const digest = createHash("sha256").update(Buffer.from(key, "base64")).digest("base64");
  return `SHA256:${digest.replace(/=+$/, "")}`;
}

/** ssh prints why it ignores a key file, and continues without it. */
function explainKeyFile(lines: readonly string[]): string | null {
  const [, open] = find(lines, /^Permissions \d+ for '(.+)' are too open\.$/) ?? [];
  if (open !== undefined) return `ssh ignores the key ${open} because other users can read it: chmod 600 it`;
  const [, missing] = find(lines, /^no such identity: (.+): No such file or directory$/) ?? [];
  if (missing !== undefined) return `the key ${missing} does not exist`;
  const [, unusable, why] = find(lines, /^Load key "(.+)": (.+)$/) ?? [];
  return unusable === undefined ? null : `ssh cannot use the key ${unusable}: ${why}`;
}

/** Git reads no repository of another user (git-config(1), "safe.directory"). */
function explainOwner(lines: readonly string[], { env }: FailedCall): string | null {
  const [, problem, path = ""] =
    find(lines, /^fatal: (detected dubious ownership in repository at '(.+)')$/) ?? [];
  const owner = problem === undefined ? undefined : statSync(path, { throwIfNoEntry: false })?.uid;
  if (problem === undefined || owner === undefined) return problem ?? null;
  const user = env.USER ?? userName(process.getuid?.() ?? 0) ?? String(process.getuid?.());
  const change = describeCommand(["chown", "-R", user, path]);
  return `${problem}: it belongs to ${userName(owner) ?? `user ${owner}`}, and hooklatch runs as ${user}; give it to ${user}: ${change}`;
}

async function explainDenial(lines: readonly string[], call: FailedCall): Promise<string | null> {
  const [, denial, name = ""] =
    find(lines, /^((?:\S+@)?(\S+): Permission denied \(.*publickey.*\))\.$/) ?? [];
  const host = readHost(name);
  if (denial === undefined || host === null) return null;
  const files = (await readSshConfig(host, call)).get("identityfile") ?? [];
  const keys: string[] = [];
  for (const file of files) {
    // ssh expands `~` to the account's directory, and `%%` to a percent sign.
    const path = file.replace(/^~(?=\/)/, call.env.HOME ?? "~").replaceAll("%%", "%");
    keys.push(...(await describeKeyFile(path, call)));
  }
  if (keys.length > 0) return `${denial}: the host rejects ${keys.join(" or ")}`;
  return "SSH_AUTH_SOCK" in call.env ? denial : `${denial}: ssh found no key; set \`ssh_key\``;
}

/** A private key by its path, with its fingerprint or why ssh cannot use it; nothing where there is none. */
async function describeKeyFile(path: string, call: FailedCall): Promise<readonly string[]> {
  const lines = await linesOf(["ssh-keygen", "-y", "-P", "", "-f", path], call);
  const key = lines.find((line) => /^(?:ssh|ecdsa|sk)-\S+ \S+/.test(line))?.split(" ")[1];
  if (key !== undefined) return [`the key ${path} (${fingerprintOf(key)})`];
  if (lines.some((line) => line.endsWith("too open.")))
    return [`the key ${path}, which other users can read: chmod 600 it`];
  const needsPassphrase = lines.some((line) => line.includes("incorrect passphrase"));
  return needsPassphrase ? [`the key ${path}, which needs a passphrase`] : [];
}

const HTTP_DENIAL =
  /(?:could not read (?:Username|Password) for|Authentication failed for|Git credentials for) '?(https?:\/\/[^\s'/]+)/;
const HTTP_ERROR = /unable to access '(https?:\/\/[^']+)': The requested URL returned error: (\d{3})/;

function explainHttp(lines: readonly string[], { env }: FailedCall): string | null {
  const [, origin] = find(lines, HTTP_DENIAL) ?? [];
  if (origin !== undefined) {
    const advice = hasToken(env, origin)
      ? "check `token`"
      : "there is no such repository, or it needs a `token`";
    return `authentication failed at ${origin}: ${advice}`;
  }
  const [, url, code = ""] = find(lines, HTTP_ERROR) ?? [];
  if (url === undefined) return null;
  if (code === "403") return `${url} is forbidden: the \`token\` has no access`;
  return code.startsWith("3") ? `${url} has moved: correct \`clone_url\`` : null;
}

/** The last match among the lines. */
function find(lines: readonly string[], pattern: RegExp): RegExpExecArray | null {
  return lines.map((line) => pattern.exec(line)).findLast((match) => match !== null) ?? null;
}

interface Host {
  readonly name: string;
  readonly port: string;
}

/** Reads a host from ssh's output. Null for text that is no name, or that could be an option. */
function readHost(text: string): Host | null {
  const [, bracketed, port] = /^\[(.+)\]:(\d+)$/.exec(text) ?? [];
  const name = bracketed ?? text;
  return /^[\w:][\w.:%-]*$/.test(name) ? { name, port: port ?? "22" } : null;
}

/** The line for known_hosts with the host's key of this type, or else of any; null when the host shows none. */
async function scanHostKey({ name, port }: Host, type: string, call: FailedCall): Promise<string | null> {
  const lines = await linesOf(["ssh-keyscan", "-T", "5", "-p", port, "--", name], call);
  const keys = lines.filter((line) => /^[^#\s]\S* (?:ssh|ecdsa|sk)-\S+ [A-Za-z0-9+/=]+$/.test(line));
  const preferred = [type.toLowerCase(), "ed25519", "ecdsa"].filter((each) => each !== "");
  const ofType = preferred.map((each) => keys.find((key) => key.includes(`-${each}`)));
  return ofType.find((key) => key !== undefined) ?? keys[0] ?? null;
}

/** The configuration of ssh for a host, by the command that git uses (ssh(1), -G): values by key. */
async function readSshConfig(host: Host, call: FailedCall): Promise<ReadonlyMap<string, readonly string[]>> {
  const script = `${call.env.GIT_SSH_COMMAND ?? "ssh"} -G -p "$1" -- "$2"`;
  const lines = await linesOf(["/bin/sh", "-c", script, "sh", host.port, host.name], call);
  const pairs = lines.map((line) => /^(\S*) ?(.*)$/.exec(line) ?? []);
  const byKey = Map.groupBy(pairs, ([, key = ""]) => key);
  return new Map([...byKey].map(([key, found]) => [key, found.map(([, , value = ""]) => value)]));
}

/** The lines that a program prints, also when it fails; those so far when it takes too long. */
async function linesOf(argv: readonly string[], call: FailedCall): Promise<readonly string[]> {
  const lines: string[] = [];
  const signal = AbortSignal.any([call.signal, AbortSignal.timeout(TIMEOUT)]);
  await call.run(argv, { cwd: call.cwd, env: call.env, onLine: (line) => lines.push(line), signal });
  return lines;
}
