import type { RefusalCode } from "../../domain/codes.ts";
import type { Handshake, HandshakeResult } from "../../domain/provider.ts";
import { AppError } from "../../lib/errors.ts";
import type { Secret } from "../../lib/secret.ts";
import { equalInConstantTime } from "../hmac.ts";
import { readCredentials } from "./authorization.ts";

/** In characters. */
const MAX_CHALLENGE = 1024;

/**
 * Creates the check of the GET that authorises a client. The token comes in one of three forms, and exactly once:
 * `?verify_token=`, `Authorization: Bearer`, or `hub.verify_token` with `hub.mode=subscribe` (PubSubHubbub 0.3, as Meta
 * still sends it). Where `token` is null every request is refused.
 */
export function createHandshake(
  token: Secret | null,
  admission: Pick<Handshake, "lifetime" | "prefixV6">,
): Handshake {
  return {
    ...admission,
    verify(query, headers) {
      const subscribing = query.getAll("hub.verify_token");
      // Another scheme than Bearer belongs to somebody else, such as a proxy.
      const bearer = readCredentials(headers, "bearer");
      const inHeader = bearer === null ? [] : [bearer];
      const [shown, ...others] = [...query.getAll("verify_token"), ...subscribing, ...inHeader];
      if (others.length > 0) return refuse("token_repeated");
      if (shown === undefined || shown === "") return refuse("token_missing");
      if (token === null) return refuse("token_mismatch");
      if (!equalInConstantTime(shown, token.reveal())) return refuse("token_mismatch", true);
      return subscribing.length === 0 ? { ok: true, challenge: null } : subscribe(query);
    },
    credentials() {
      if (token === null) throw new AppError("configuration", "the source has no verify token to show");
      return new Headers({ authorization: `Bearer ${token.reveal()}` });
    },
  };
}

function refuse(code: RefusalCode, isThrottled = false): HandshakeResult {
  return { ok: false, code, isThrottled };
}

/** Reads the challenge that the hub wants echoed, which has to be one short line. */
function subscribe(query: URLSearchParams): HandshakeResult {
  const modes = query.getAll("hub.mode");
  const [challenge = null, ...others] = query.getAll("hub.challenge");
  if (modes.length !== 1 || modes[0] !== "subscribe" || others.length > 0) return refuse("challenge_invalid");
  const isLine = challenge === null || (challenge.length <= MAX_CHALLENGE && !/\p{Cc}/u.test(challenge));
  return isLine ? { ok: true, challenge } : refuse("challenge_invalid");
}
