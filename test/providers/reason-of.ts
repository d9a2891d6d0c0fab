type Result = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** Returns why a payload was rejected. Throws when it was accepted. */
export function reasonOf(result: Result): string {
  if (result.ok) throw new Error("the payload was accepted, and a rejection was expected");
  return result.reason;
}
