import { createHash } from "node:crypto";
import type { RunProcess } from "../../domain/layout.ts";
import { describeCommand } from "../../domain/target.ts";

/** Milliseconds that a program that explains a failure may take. */
const TIMEOUT = 8_000;

/** In characters. A longer line (of an RSA key, say) would be cut in a reason. */
const MAX_LINE = 250;

/** How a git that failed was run. */
export interface FailedCall {
  readonly run: RunProcess;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly signal: AbortSignal;
}

/** ssh's messages with a host as known_hosts has it (sshd(8)): `[name]:port`, or the name alone for port 22. */
const REFUSALS = {
  unknown: /^No (\S+) host key is known for (\S+) and you have requested strict checking\./,
  changed: /^Host key for ()(\S+) has changed and you have requested strict checking\./,
} as const;

/**
 * Explains what is wrong with a host's key, and which line to add, where git's last lines say that ssh stopped because of
 * it. The line has the key that the host shows, which people have to compare before they trust it.
 */
export async function explainHostKey(lines: readonly string[], call: FailedCall): Promise<string | null> {
  for (const [kind, pattern] of Object.entries(REFUSALS)) {
    const [, type = "", name] = lines.map((line) => pattern.exec(line)).find((found) => found !== null) ?? [];
    const host = name === undefined ? null : readHost(name);
    if (name === undefined || host === null) continue;
    const file = (await askSsh(host, call)).get("userknownhostsfile")?.map(firstPath)[0] ?? "known_hosts";
    const line = await scanKey(host, type, call);
    return kind === "unknown" ? describeUnknown(name, file, line) : describeChanged(name, file, line);
  }
  return null;
}

function describeUnknown(name: string, file: string, line: string | null): string {
  const problem = `the host key of ${name} is not in ${file}`;
  if (line === null) return `${problem}; add the line with the key that the host publishes`;
  const advice = `compare that with the key that the host publishes, then ${describeAdding(line)}`;
  return `${problem}: the host shows ${describeKey(line)}; ${advice}`;
}

function describeChanged(name: string, file: string, line: string | null): string {
  const shows = line === null ? "" : `: the host shows ${describeKey(line)}`;
  const problem = `the host key of ${name} is no longer the one in ${file}${shows}`;
  const remedy = describeCommand(["ssh-keygen", "-f", file, "-R", name]);
  const add = line === null ? "add the new one" : describeAdding(line);
  return `${problem}; the connection may be intercepted: only if the host publishes that change, remove the old line (${remedy}) and ${add}`;
}

function describeAdding(line: string): string {
  if (line.length <= MAX_LINE) return `add this line: ${line}`;
  const host = readHost(line.split(" ")[0] ?? "");
  return `add the line with that fingerprint from ssh-keyscan -p ${host?.port} ${host?.name}`;
}

/** A key's type and SHA-256 fingerprint, as ssh-keygen(1) and the forges print it. */
function describeKey(line: string): string {
  const [, type = "", key = ""] = line.split(" ");
  return `${type} ${fingerprintOf(key)}`;
}

/** The fingerprint of a public key in base64, as known_hosts and `.pub` files have it. */
export function fingerprintOf(key: string): string {
  const digest = createHash("sha256").update(Buffer.from(key, "base64")).digest("base64");
  return `SHA256:${digest.replace(/=+$/, "")}`;
}

/** A host and its port, as arguments. */
export interface Host {
  readonly name: string;
  readonly port: string;
}

/** Reads a host from ssh's output. Null for text that could be an option, or is no name. */
export function readHost(text: string): Host | null {
  const [, bracketed, port] = /^\[(.+)\]:(\d+)$/.exec(text) ?? [];
  const name = bracketed ?? text;
  return /^[\w:][\w.:%-]*$/.test(name) ? { name, port: port ?? "22" } : null;
}

/** The line for known_hosts with the host's key of this type, or else of any; null when the host shows none. */
async function scanKey({ name, port }: Host, type: string, call: FailedCall): Promise<string | null> {
  const lines = await linesOf(["ssh-keyscan", "-T", "5", "-p", port, "--", name], call);
  const keys = lines.filter((line) => /^[^#\s]\S* (?:ssh|ecdsa|sk)-\S+ [A-Za-z0-9+/=]+$/.test(line));
  const preferred = [type.toLowerCase(), "ed25519", "ecdsa"];
  const ofType = preferred.map((each) => keys.find((key) => each !== "" && key.includes(`-${each}`)));
  return ofType.find((key) => key !== undefined) ?? keys[0] ?? null;
}

/** The configuration of ssh for a host, from the command that git uses (ssh(1), -G): values by key. */
export async function askSsh(host: Host, call: FailedCall): Promise<ReadonlyMap<string, readonly string[]>> {
  const script = `${call.env.GIT_SSH_COMMAND ?? "ssh"} -G -p "$1" -- "$2"`;
  const lines = await linesOf(["/bin/sh", "-c", script, "sh", host.port, host.name], call);
  const values = new Map<string, readonly string[]>();
  for (const line of lines) {
    const [key = "", ...words] = line.split(" ");
    values.set(key, [...(values.get(key) ?? []), words.join(" ")]);
  }
  return values;
}

/** A list of paths is on one line, and a path may have spaces in it: the next one begins at a root. */
function firstPath(paths: string): string {
  return paths.replace(/ [/~].*$/, "");
}

/** The lines that a program prints, also when it fails; those so far when it takes too long. */
export async function linesOf(argv: readonly string[], call: FailedCall): Promise<readonly string[]> {
  const lines: string[] = [];
  const signal = AbortSignal.any([call.signal, AbortSignal.timeout(TIMEOUT)]);
  await call.run(argv, { cwd: call.cwd, env: call.env, onLine: (line) => lines.push(line), signal });
  return lines;
}
