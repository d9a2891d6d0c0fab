/** What the other end says of what a target watches, without anything being fetched. */
export type RemoteTip =
  | { readonly kind: "found"; readonly commit: string }
  /** There is no such branch, or no tag that matches. */
  | { readonly kind: "absent" }
  /** The reason completes "git ls-remote …". */
  | { readonly kind: "unreachable"; readonly reason: string };
