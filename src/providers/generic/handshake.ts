import type { Handshake, HandshakeResult } from "../../domain/provider.ts";
import { AppError } from "../../lib/errors.ts";
import type { Secret } from "../../lib/secret.ts";
import { equalInConstantTime } from "../hmac.ts";
import { readCredentials } from "./authorization.ts";

const REFUSED: HandshakeResult = { ok: false, guess: false };
const WRONG_GUESS: HandshakeResult = { ok: false, guess: true };
const LONGEST_CHALLENGE = 1024;

/**
 * The GET that admits a client. The token comes in one of three forms, and exactly once: `?verify_token=`,
 * `Authorization: Bearer`, or `hub.verify_token` with `hub.mode=subscribe` (PubSubHubbub 0.3, as Meta still sends
 * it). Without a token of our own nobody is admitted.
 */
export function createHandshake(
  token: Secret | null,
  admission: Pick<Handshake, "lifetime" | "prefixV6">,
): Handshake {
  return {
    ...admission,
    verify(query, headers) {
      const subscribing = query.getAll("hub.verify_token");
      // A scheme other than Bearer is not for us: a proxy's Basic credentials, say.
      const bearer = readCredentials(headers, "bearer");
      const inHeader = bearer === null ? [] : [bearer];
      const [shown, ...others] = [...query.getAll("verify_token"), ...subscribing, ...inHeader];
      if (token === null || shown === undefined || shown === "" || others.length > 0) return REFUSED;
      if (!equalInConstantTime(shown, token.reveal())) return WRONG_GUESS;
      return subscribing.length === 0 ? { ok: true, challenge: null } : subscribe(query);
    },
    credentials() {
      if (token === null) throw new AppError("configuration", "without a verify token nothing can be shown");
      return new Headers({ authorization: `Bearer ${token.reveal()}` });
    },
  };
}

/** What the hub wants echoed. It is refused when it is anything but one short line. */
function subscribe(query: URLSearchParams): HandshakeResult {
  const modes = query.getAll("hub.mode");
  const [challenge = null, ...others] = query.getAll("hub.challenge");
  if (modes.length !== 1 || modes[0] !== "subscribe" || others.length > 0) return REFUSED;
  if (challenge !== null && (challenge.length > LONGEST_CHALLENGE || /\p{Cc}/u.test(challenge)))
    return REFUSED;
  return { ok: true, challenge };
}
