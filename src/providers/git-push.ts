import { Type } from "@sinclair/typebox";

/** A git object name: 40 hex digits, or 64 in a SHA-256 repository. */
export const ObjectName = Type.String({
  pattern: "^[0-9a-f]{40}(?:[0-9a-f]{24})?$",
  expected: "40 or 64 lower-case hex digits",
});

/**
 * A full ref name. Rejects only what git rejects in any ref name: ASCII control characters (git-check-ref-format(1)) and
 * lone surrogates. The name may look like an option or a shell command.
 */
export const FullRef = Type.RegExp(/^refs\/(?:[\u0080-\u009f]|[^\p{Cc}\p{Cs}])+$/u, {
  expected: "a full ref name",
});
