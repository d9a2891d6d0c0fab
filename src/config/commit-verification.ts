import { resolve } from "node:path";
import type { ReadContext } from "./read/context.ts";
import { child } from "./read/issues.ts";
import type { TargetSection } from "./schema.ts";

/** The file of those who may have signed the tip; null where no signature is asked for. */
export function readAllowedSigners(
  { has, place, values }: TargetSection,
  ground: ReadContext,
): string | null {
  const { report, directory } = ground;
  const { verify_commit: verify, allowed_signers: file } = values;
  if (verify === true && !has("allowed_signers")) {
    const what = "the path of a file with the keys of those who may sign (see ssh-keygen, ALLOWED SIGNERS)";
    report.fault(
      child(place, "allowed_signers"),
      `expected ${what}, as verify_commit is true, found nothing`,
    );
  }
  // Who names signers believes that commits are verified.
  if (has("allowed_signers") && !has("verify_commit")) {
    report.fault(child(place, "allowed_signers"), 'expected "verify_commit = true" beside it, found none');
  }
  if (has("allowed_signers") && verify === false) {
    report.warn(child(place, "allowed_signers"), "has no effect, as verify_commit is false");
  }
  return verify === true && file !== undefined ? resolve(directory, file) : null;
}
