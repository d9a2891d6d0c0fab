import { type Client, hasExpired } from "../../domain/client.ts";
import type { RefusalCode } from "../../domain/codes.ts";
import type { RawRequest, RefusalStatus, SourceHandler, VerifyResult } from "../../domain/provider.ts";
import type { Secret } from "../../lib/secret.ts";
import { equalInConstantTime, verifySignature } from "../hmac.ts";
import { createPasswordVerifier } from "../password.ts";
import { readBasic, readCredentials } from "./authorization.ts";
import { describeStyle, type GenericSettings, type Method, requiredMethods } from "./options.ts";

type QuickCheck = (request: RawRequest, client: Client | null, now: Date) => VerifyResult;

const VERIFIED: VerifyResult = { ok: true };

/** Creates the check of everything that a generic source requires. A request has to pass all of it. */
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
      if (!result.ok) return result;
    }
    // Last, and only for requests that pass the rest: it takes a processor for a tenth of a second.
    return checkPassword === null ? VERIFIED : checkPassword(request);
  };
}

function createQuickCheck(
  method: Exclude<Method, "basic">,
  { bearer = [], hmac }: GenericSettings,
): QuickCheck {
  switch (method) {
    case "client":
      return (_request, client, now) => checkClient(client, now);
    case "bearer":
      return ({ headers }) => checkToken(readCredentials(headers, "bearer"), bearer);
    case "hmac":
      return ({ headers, body }) => checkSignature(headers, body, hmac);
  }
}

function checkClient(client: Client | null, now: Date): VerifyResult {
  if (client === null) return refuse("not authorised", "client_unknown");
  return hasExpired(client, now) ? refuse("authorisation timeout", "client_expired") : VERIFIED;
}

function checkToken(shown: string | null, tokens: readonly Secret[]): VerifyResult {
  if (shown === null || shown === "") return refuse("not authorised", "token_missing");
  let isRight = false;
  // Every token is compared even after one matched, so that the time does not reveal which one it was.
  for (const token of tokens) if (equalInConstantTime(shown, token.reveal())) isRight = true;
  return isRight ? VERIFIED : refuse("not authorised", "token_mismatch", true);
}

function checkSignature(headers: Headers, body: Uint8Array, hmac: GenericSettings["hmac"]): VerifyResult {
  const shown = hmac === undefined ? null : headers.get(hmac.header);
  if (hmac === undefined || shown === null) {
    return refuse("signature verification failed", "signature_missing");
  }
  return verifySignature(shown, body, hmac.secrets, describeStyle(hmac))
    ? VERIFIED
    : refuse("signature verification failed", "signature_mismatch");
}

function createPasswordCheck(users: NonNullable<GenericSettings["basic"]>) {
  const verifyPassword = createPasswordVerifier(users);
  return ({ headers }: RawRequest): VerifyResult | Promise<VerifyResult> => {
    const shown = readBasic(headers);
    if (shown === null) return refuse("not authorised", "credentials_missing");
    return verifyPassword(shown).then((isRight) =>
      isRight ? VERIFIED : refuse("not authorised", "credentials_mismatch", true),
    );
  };
}

function refuse(status: RefusalStatus, code: RefusalCode, isThrottled = false): VerifyResult {
  return { ok: false, status, code, isThrottled };
}
