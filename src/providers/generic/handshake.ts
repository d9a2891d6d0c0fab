import type { Handshake, HandshakeResult, Refusal } from "../../domain/provider.ts";
import { AppError } from "../../lib/errors.ts";
import type { Secret } from "../../lib/secret.ts";
import { equalInConstantTime } from "../hmac.ts";
import { readCredentials } from "./verify.ts";

/** In characters. */
const MAX_CHALLENGE = 1024;

/**
 * Creates the check of the GET that authorises a client. The token must appear exactly once, in one of three forms:
 * `?verify_token=`, `Authorization: Bearer`, or `hub.verify_token` with `hub.mode=subscribe` (PubSubHubbub 0.3, which
 * Meta still sends). Where `token` is null every request is refused.
 */
export function createHandshake(
  token: Secret | null,
  settings: Pick<Handshake, "lifetime" | "prefixV6">,
): Handshake {
  return {
    ...settings,
    verify(query, headers) {
      const hubTokens = query.getAll("hub.verify_token");
      // Another scheme than Bearer is meant for another program, such as a proxy.
      const bearer = readCredentials(headers, "bearer");
      const [shown, ...others] = [
        ...query.getAll("verify_token"),
        ...hubTokens,
        ...(bearer === null ? [] : [bearer]),
      ];
      if (others.length > 0) return refuse("token_repeated");
      if (shown === undefined || shown === "") return refuse("token_missing");
      if (token === null) return refuse("token_mismatch");
      if (!equalInConstantTime(shown, token.reveal())) return refuse("token_mismatch", true);
      return hubTokens.length === 0 ? { kind: "verified", challenge: null } : readChallenge(query);
    },
    credentials() {
      if (token === null) throw new AppError("configuration", "the source has no verify token");
      return new Headers({ authorization: `Bearer ${token.reveal()}` });
    },
  };
}

function refuse(code: Refusal["code"], isThrottled = false): Refusal {
  return { kind: "refused", code, isThrottled };
}

/** Reads the challenge that the response echoes, which must be one short line. */
function readChallenge(query: URLSearchParams): HandshakeResult {
  const modes = query.getAll("hub.mode");
  const [challenge = null, ...others] = query.getAll("hub.challenge");
  if (modes.length !== 1 || modes[0] !== "subscribe" || others.length > 0) return refuse("challenge_invalid");
  const isLine = challenge === null || (challenge.length <= MAX_CHALLENGE && !/\p{Cc}/u.test(challenge));
  return isLine ? { kind: "verified", challenge } : refuse("challenge_invalid");
}
