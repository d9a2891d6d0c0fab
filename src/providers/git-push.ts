import { Type } from "@sinclair/typebox";
import { isZeroCommit } from "../domain/event.ts";

/** A git object name: 40 hex digits, or 64 in a SHA-256 repository. */
export const ObjectName = Type.String({
  pattern: "^[0-9a-f]{40}(?:[0-9a-f]{24})?$",
  expected: "40 or 64 lower-case hex digits",
});

/**
 * A full ref name. Rejects only what git rejects in any ref name: ASCII control characters (git-check-ref-format(1)),
 * lone surrogates, and more than the 4096 characters of a path. The bound is in the expression, because a separate one
 * would not stop it. The name may look like an option or a shell command.
 */
export const FullRef = Type.RegExp(/^refs\/(?:[\u0080-\u009f]|[^\p{Cc}\p{Cs}]){1,4091}$/u, {
  expected: "a full ref name of at most 4096 characters",
});

/** The full name of a repository. Forges allow fewer characters; it is remembered, so it must be bounded. */
export const RepositoryName = Type.String({ maxLength: 1024, expected: "a name of at most 1024 characters" });

/** Whether a push names no commit: in an empty repository, Gitea tests a webhook with zeros in `before` and `after`. */
export function isTestPush({
  before,
  after,
}: {
  readonly before?: unknown;
  readonly after?: unknown;
}): boolean {
  return typeof after === "string" && before === after && isZeroCommit(after);
}
