import type { UnreadablePayload } from "../../src/domain/provider.ts";

/** Returns why a payload was rejected. Throws when it was accepted. */
export function reasonOf(
  result: UnreadablePayload | { readonly kind: "parsed" | "challenge" | "decoded" },
): string {
  if (result.kind !== "unreadable") throw new Error("the payload was accepted, and a rejection was expected");
  return result.reason;
}
