import { type Client, hasExpired } from "../../domain/client.ts";
import type { RawRequest, SourceHandler, VerifyResult } from "../../domain/provider.ts";
import type { Secret } from "../../lib/secret.ts";
import { equalInConstantTime, verifySignature } from "../hmac.ts";
import { createPasswordVerifier } from "../password.ts";
import { readBasic, readCredentials } from "./authorization.ts";
import { describeStyle, type GenericSettings, type Method, requiredMethods } from "./options.ts";

type QuickCheck = (request: RawRequest, client: Client | null, now: Date) => VerifyResult;

const VERIFIED: VerifyResult = { ok: true };
const STRANGER: VerifyResult = { ok: false, refusal: "not authorised", guess: false };
const WRONG_GUESS: VerifyResult = { ok: false, refusal: "not authorised", guess: true };
const EXPIRED: VerifyResult = { ok: false, refusal: "authorisation timeout", guess: false };
const UNSIGNED: VerifyResult = { ok: false, refusal: "signature verification failed", guess: false };

/** Makes the check of everything that a generic source requires: all of it must hold. */
export function createRequestVerifier(settings: GenericSettings): SourceHandler["verify"] {
  const required = requiredMethods(settings);
  if (required.length === 0) throw new Error("a source that requires nothing would be open to everybody");
  const quick = required.flatMap((method) => (method === "basic" ? [] : [openQuickCheck(method, settings)]));
  const checkPassword = required.includes("basic") ? openPasswordCheck(settings.basic ?? []) : null;
  return (request, client, now) => {
    for (const check of quick) {
      const verdict = check(request, client, now);
      if (!verdict.ok) return verdict;
    }
    // Last, and never for one who is refused anyway: it takes a processor for a tenth of a second.
    return checkPassword === null ? VERIFIED : checkPassword(request);
  };
}

function openQuickCheck(
  method: Exclude<Method, "basic">,
  { bearer = [], hmac }: GenericSettings,
): QuickCheck {
  switch (method) {
    case "client":
      return (_request, client, now) => admit(client, now);
    case "bearer":
      return ({ headers }) => checkToken(readCredentials(headers, "bearer"), bearer);
    case "hmac": {
      if (hmac === undefined) return () => UNSIGNED;
      const style = describeStyle(hmac);
      return ({ headers, body }) =>
        verifySignature(headers.get(hmac.header), body, hmac.secrets, style) ? VERIFIED : UNSIGNED;
    }
  }
}

function admit(client: Client | null, now: Date): VerifyResult {
  if (client === null) return STRANGER;
  return hasExpired(client, now) ? EXPIRED : VERIFIED;
}

function checkToken(shown: string | null, tokens: readonly Secret[]): VerifyResult {
  if (shown === null || shown === "") return STRANGER;
  let verdict = WRONG_GUESS;
  // Every token is tried even after one fitted, so that the time does not tell which one it was.
  for (const token of tokens) if (equalInConstantTime(shown, token.reveal())) verdict = VERIFIED;
  return verdict;
}

function openPasswordCheck(users: NonNullable<GenericSettings["basic"]>) {
  const isRight = createPasswordVerifier(users);
  return ({ headers }: RawRequest): VerifyResult | Promise<VerifyResult> => {
    const shown = readBasic(headers);
    if (shown === null) return STRANGER;
    return isRight(shown).then((right) => (right ? VERIFIED : WRONG_GUESS));
  };
}
