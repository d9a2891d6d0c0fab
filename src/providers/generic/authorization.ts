import { decodeUtf8 } from "../json.ts";

/** A user and a password as a request shows them. */
export interface UserAndPassword {
  readonly user: string;
  readonly password: string;
}

/**
 * What follows the scheme in the Authorization header, as it stands; null where that is absent or of another scheme.
 * Two headers arrive joined by `, `, which is in no token and in no base64.
 */
export function readCredentials(headers: Headers, scheme: "bearer" | "basic"): string | null {
  const [, shown = "", credentials = ""] =
    /^([!-~]+)(?:[ \t]+(.*))?$/s.exec(headers.get("authorization") ?? "") ?? [];
  return shown.toLowerCase() === scheme ? credentials : null;
}

/**
 * The user and the password of Basic authentication, in UTF-8 (RFC 7617): the first colon is between them. Null for
 * what is not exactly that.
 */
export function readBasic(headers: Headers): UserAndPassword | null {
  const credentials = readCredentials(headers, "basic") ?? "";
  const bytes = Buffer.from(credentials, "base64");
  // The decoder passes over what it does not know; written again, only the canonical text is the same.
  if (bytes.toString("base64") !== credentials) return null;
  const text = decodeUtf8(bytes);
  const colon = text?.indexOf(":") ?? -1;
  if (text === null || colon === -1 || /\p{Cc}/u.test(text)) return null;
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
