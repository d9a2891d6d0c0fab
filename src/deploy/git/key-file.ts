import { readFileSync } from "node:fs";
import type { Target } from "../../domain/target.ts";

/** OpenSSH's own format, whose parser accepts nothing but its exact lines (PROTOCOL.key of OpenSSH). */
const BEGIN = /^-----BEGIN (?<label>(?:[A-Z0-9]+ )*)PRIVATE KEY-----/m;

/**
 * Why a text cannot be a private key of ssh and what to do, completing "the key … ". Null when nothing is wrong with its
 * form. ssh itself reports every such fault as "error in libcrypto".
 */
export function findKeyProblem(text: string): string | null {
  if (text.trim() === "") return "is empty: write the private key to it";
  if (/^(?:ssh|ecdsa|sk)-\S+ AAAA/.test(text)) return "is the public half: set the file without .pub";
  if (text.startsWith("PuTTY-User-Key-File")) {
    return "is a key of PuTTY: convert it (puttygen KEY -O private-openssh -o NEW)";
  }
  const begin = BEGIN.exec(text);
  if (begin === null) return "is not a private key: it has no line -----BEGIN … PRIVATE KEY-----";
  const rest = text.slice(begin.index + begin[0].length);
  if (/^\r/.test(rest)) return "has Windows line ends: remove them (sed -i 's/\\r$//')";
  if (!rest.startsWith("\n")) return "has its lines joined: write it with its line breaks";
  if (!rest.includes("PRIVATE KEY-----")) return "ends before its line -----END … PRIVATE KEY-----";
  const isOpenSsh = begin.groups?.label === "OPENSSH ";
  return isOpenSsh && !text.endsWith("\n") ? "does not end with a newline: add one (echo >> the file)" : null;
}

/** As {@link findKeyProblem} for a file. Null for one that cannot be read, which ssh reports well. */
export function findKeyFileProblem(file: string): string | null {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return null;
  }
  return findKeyProblem(text);
}

/** Why the target's `ssh_key` is damaged, as a sentence; null when it is not, or when there is none. */
export function describeDamagedKey({ access }: Pick<Target, "access">): string | null {
  const problem = access.sshKey === null ? null : findKeyFileProblem(access.sshKey);
  return problem === null ? null : `the key ${access.sshKey} ${problem}`;
}
