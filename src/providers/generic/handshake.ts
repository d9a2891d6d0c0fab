import { Fault } from "../../domain/fault.ts";
import type { Handshake, HandshakeVerdict } from "../../domain/provider.ts";
import type { Secret } from "../../domain/secret.ts";
import { equalInConstantTime } from "../hmac.ts";
import { readCredentials } from "./authorization.ts";

const REFUSED: HandshakeVerdict = { ok: false, guess: false };
const WRONG_GUESS: HandshakeVerdict = { ok: false, guess: true };
const LONGEST_CHALLENGE = 1024;

/**
 * The GET that admits a client. The token comes in one of three forms, and exactly once: `?verify_token=`,
 * `Authorization: Bearer`, or `hub.verify_token` with `hub.mode=subscribe` (PubSubHubbub 0.3, as Meta still sends
 * it). Without a token of our own nobody is admitted.
 */
export function openHandshake(
  token: Secret | null,
  admission: Pick<Handshake, "lifetime" | "prefixV6">,
): Handshake {
  return {
    ...admission,
    examine(query, headers) {
      const subscribing = query.getAll("hub.verify_token");
      // A scheme other than Bearer is not for us: a proxy's Basic credentials, say.
      const bearer = readCredentials(headers, "bearer");
      const inHeader = bearer === null ? [] : [bearer];
      const [shown, ...others] = [...query.getAll("verify_token"), ...subscribing, ...inHeader];
      if (token === null || shown === undefined || shown === "" || others.length > 0) return REFUSED;
      if (!equalInConstantTime(shown, token.reveal())) return WRONG_GUESS;
      return subscribing.length === 0 ? { ok: true, challenge: null } : subscribe(query);
    },
    present() {
      if (token === null) throw new Fault("configuration", "without a verify token nothing can be shown");
      return new Headers({ authorization: `Bearer ${token.reveal()}` });
    },
  };
}

/** What the hub wants echoed. It is refused when it is anything but one short line. */
function subscribe(query: URLSearchParams): HandshakeVerdict {
  const modes = query.getAll("hub.mode");
  const [challenge = null, ...others] = query.getAll("hub.challenge");
  if (modes.length !== 1 || modes[0] !== "subscribe" || others.length > 0) return REFUSED;
  if (challenge !== null && (challenge.length > LONGEST_CHALLENGE || /\p{Cc}/u.test(challenge)))
    return REFUSED;
  return { ok: true, challenge };
}
