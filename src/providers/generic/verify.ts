import { type Client, hasExpired } from "../../domain/client.ts";
import type { RefusalCode } from "../../domain/codes.ts";
import type { RawRequest, RefusalStatus, SourceHandler, VerifyResult } from "../../domain/provider.ts";
import type { Secret } from "../../lib/secret.ts";
import { equalInConstantTime, verifySignature } from "../hmac.ts";
import { decodeUtf8 } from "../json.ts";
import { createPasswordVerifier } from "../password.ts";
import { checkSignedTime } from "../signed-time.ts";
import { describeStyle, type GenericSettings, type Method, requiredMethods } from "./options.ts";

type QuickCheck = (request: RawRequest, client: Client | null, now: Date) => VerifyResult;

const VERIFIED: VerifyResult = { kind: "verified" };

/** Creates the check of everything that a generic source requires. */
export function createRequestVerifier(settings: GenericSettings): SourceHandler["verify"] {
  const required = requiredMethods(settings);
  if (required.length === 0) throw new Error("a source that requires nothing would accept every request");
  const quick = required.flatMap((method) =>
    method === "basic" ? [] : [createQuickCheck(method, settings)],
  );
  const checkPassword = required.includes("basic") ? createPasswordCheck(settings.basic ?? []) : null;
  return (request, client, now) => {
    for (const check of quick) {
      const result = check(request, client, now);
      if (result.kind === "refused") return result;
    }
    // Only for requests that pass the other checks: it uses a processor for a tenth of a second.
    return checkPassword === null ? VERIFIED : checkPassword(request);
  };
}

function createQuickCheck(method: Exclude<Method, "basic">, settings: GenericSettings): QuickCheck {
  const { bearer = [], query, header } = settings;
  switch (method) {
    case "client":
      return (_request, client, now) => checkClient(client, now);
    case "query":
      return (request) => {
        const [shown = null, ...others] = request.query.getAll(query?.name ?? "");
        if (others.length > 0) return refuse("not authorised", "token_repeated");
        return checkToken(shown, query?.tokens ?? []);
      };
    case "header":
      return ({ headers }) => checkToken(headers.get(header?.name ?? "x"), header?.tokens ?? []);
    case "bearer":
      return ({ headers }) => checkToken(readCredentials(headers, "bearer"), bearer);
    case "hmac":
      return (request, _client, now) => checkSignature(request, now, settings);
  }
}

function checkClient(client: Client | null, now: Date): VerifyResult {
  if (client === null) return refuse("not authorised", "client_unknown");
  return hasExpired(client, now) ? refuse("authorisation timeout", "client_expired") : VERIFIED;
}

function checkToken(shown: string | null, tokens: readonly Secret[]): VerifyResult {
  if (shown === null || shown === "") return refuse("not authorised", "token_missing");
  let matches = false;
  // Every token is compared even after a match, so that the time does not reveal which one matched.
  for (const token of tokens) if (equalInConstantTime(shown, token.reveal())) matches = true;
  return matches ? VERIFIED : refuse("not authorised", "token_mismatch", true);
}

function checkSignature(request: RawRequest, now: Date, settings: GenericSettings): VerifyResult {
  const { headers } = request;
  const { hmac } = settings;
  const shown = hmac === undefined ? null : headers.get(hmac.header);
  if (hmac === undefined || shown === null) {
    return refuse("signature verification failed", "signature_missing");
  }
  const { timestamp_header: time, tolerance } = hmac;
  const code = time === undefined ? null : checkSignedTime(headers.get(time) ?? "", now, tolerance);
  if (code !== null) return refuse("signature verification failed", code);
  const content = writeSignedContent(request, settings);
  return verifySignature(shown, content, hmac.secrets, describeStyle(hmac))
    ? VERIFIED
    : refuse("signature verification failed", "signature_mismatch");
}

/** What `hmac.signed` describes. A missing header is empty. */
export function writeSignedContent(
  { headers, method, path, body }: RawRequest,
  { hmac, id_header: id }: GenericSettings,
): readonly (string | Uint8Array)[] {
  const values = new Map<string, string | Uint8Array>([
    ["{timestamp}", headers.get(hmac?.timestamp_header ?? "x") ?? ""],
    ["{id}", headers.get(id ?? "x") ?? ""],
    ["{method}", method],
    ["{path}", path],
    ["{body}", body],
  ]);
  return (hmac?.signed ?? "{body}").split(/(\{[a-z]+\})/).map((part) => values.get(part) ?? part);
}

function createPasswordCheck(users: NonNullable<GenericSettings["basic"]>) {
  const verifyPassword = createPasswordVerifier(users);
  return async ({ headers }: RawRequest): Promise<VerifyResult> => {
    const shown = readBasic(headers);
    if (shown === null) return refuse("not authorised", "credentials_missing");
    if (await verifyPassword(shown)) return VERIFIED;
    return refuse("not authorised", "credentials_mismatch", true);
  };
}

function refuse(status: RefusalStatus, code: RefusalCode, isThrottled = false): VerifyResult {
  return { kind: "refused", status, code, isThrottled };
}

/**
 * The text after the scheme in the Authorization header; null where the header is missing or has another scheme. Two
 * headers arrive joined by `, `, which neither a token nor base64 contains.
 */
export function readCredentials(headers: Headers, scheme: "bearer" | "basic"): string | null {
  const [, shown = "", credentials = ""] =
    /^([!-~]+)(?:[ \t]+(.*))?$/s.exec(headers.get("authorization") ?? "") ?? [];
  return shown.toLowerCase() === scheme ? credentials : null;
}

/**
 * The user and the password of Basic authentication in UTF-8 (RFC 7617), separated by the first colon. Null for any
 * other text.
 */
export function readBasic(headers: Headers): { readonly user: string; readonly password: string } | null {
  const credentials = readCredentials(headers, "basic") ?? "";
  const bytes = Buffer.from(credentials, "base64");
  // The decoder skips invalid characters; only canonical text encodes to itself.
  if (bytes.toString("base64") !== credentials) return null;
  const text = decodeUtf8(bytes);
  const colon = text?.indexOf(":") ?? -1;
  if (text === null || colon === -1 || /\p{Cc}/u.test(text)) return null;
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
