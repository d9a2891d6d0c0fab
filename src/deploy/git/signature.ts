import type { ProcessIo } from "../../domain/layout.ts";
import { AppError } from "../../lib/errors.ts";
import { shortenCommit, toOneLine } from "../../lib/text.ts";
import type { Git } from "./git.ts";

/**
 * Only SSH signatures count (git-config(1), "gpg.format"): who may sign is told by one file. OpenPGP and X.509 would
 * ask the account's key rings, where other keys may be trusted; their programs give way to one that says no.
 */
const ONLY_SSH = { "gpg.program": "false", "gpg.openpgp.program": "false", "gpg.x509.program": "false" };

/** Rejects unless the commit has a valid signature by a key in the file of allowed signers (ssh-keygen(1)). */
export async function assertSigned(
  git: Git,
  commit: string,
  allowedSigners: string,
  io: ProcessIo,
): Promise<void> {
  const said: string[] = [];
  const onLine = (line: string) => {
    io.onLine(line);
    said.push(line);
  };
  const settings = { ...ONLY_SSH, "gpg.ssh.allowedSignersFile": allowedSigners };
  const reason = await git.attempt(["verify-commit", commit], { ...io, onLine }, settings);
  if (reason === null) return;
  // The first line is the command itself.
  const why = toOneLine(said.slice(1).join("; ")) || "it has no SSH signature";
  throw new AppError(
    "failed",
    `commit ${shortenCommit(commit)} has no valid signature by a key in allowed_signers: ${why}`,
  );
}
