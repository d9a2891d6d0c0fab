import type { ProcessIo } from "../../domain/layout.ts";
import { shortenCommit, toOneLine } from "../../lib/text.ts";
import { DeploymentError } from "../failure.ts";
import type { Git } from "./git.ts";

/**
 * Only SSH signatures count (git-config(1), "gpg.format"): one file lists who may sign. OpenPGP and X.509 would use the
 * account's key rings, which may trust other keys, so a program that always fails replaces theirs.
 */
const ONLY_SSH = { "gpg.program": "false", "gpg.openpgp.program": "false", "gpg.x509.program": "false" };

/**
 * Rejects with a {@link DeploymentError} unless a key in `allowedSigners` signed the commit. That is the path of a file
 * of allowed signers (ssh-keygen(1)), or null where signatures are not checked.
 */
export async function assertSigned(
  git: Git,
  commit: string,
  allowedSigners: string | null,
  io: ProcessIo,
): Promise<void> {
  if (allowedSigners === null) return;
  const lines: string[] = [];
  const onLine = (line: string) => {
    io.onLine(line);
    lines.push(line);
  };
  const settings = { ...ONLY_SSH, "gpg.ssh.allowedSignersFile": allowedSigners };
  const outcome = await git.attempt(["verify-commit", commit], { ...io, onLine }, settings);
  if (outcome.kind === "succeeded") return;
  // The first line is the command itself.
  const why = toOneLine(lines.slice(1).join("; ")) || "it has no SSH signature";
  throw new DeploymentError(
    "commit_not_signed",
    `commit ${shortenCommit(commit)} has no valid signature by a key in allowed_signers: ${why}`,
  );
}
