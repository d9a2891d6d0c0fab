import type { Acme } from "./conversation.ts";
import { fieldOf, textOf } from "./document.ts";
import { OrderFailure } from "./explain.ts";

/** What a CA offers beyond what each must (RFC 8555, section 7.1.1). */
export interface Directory {
  /** The base of its renewal information (RFC 9773); null where it has none. */
  readonly renewalInfo: string | null;
}

/** Reads a CA's directory. Rejects with an {@link OrderFailure} when something else is at the URL. */
export async function readDirectory(acme: Acme, url: string): Promise<Directory> {
  const { data } = await acme.axios.get<unknown>(url);
  const missing = ["newNonce", "newAccount", "newOrder"].filter(
    (name) => textOf(fieldOf(data, name)) === null,
  );
  if (missing.length > 0) {
    throw new OrderFailure(`what is at ${url} is no ACME directory (it has no ${missing.join(", no ")})`);
  }
  return { renewalInfo: textOf(fieldOf(data, "renewalInfo")) };
}
