import type { RefusalCode } from "./codes.ts";

/** A request to a source that was refused. Only the latest ones are remembered, in memory. */
export interface RefusedRequest {
  /** Increases with each refused request since the start. */
  readonly id: number;
  readonly at: Date;
  readonly source: string;
  /** The sender's normalised address; null when it is not known. */
  readonly client: string | null;
  readonly code: RefusalCode;
  /** What exactly was refused, such as the fields that do not fit; null where the code says it all. */
  readonly reason: string | null;
  /** What to do about it; null where nothing helps. */
  readonly hint: string | null;
  /** The sender's id of the delivery. It is not verified. */
  readonly providerId: string | null;
}

/** Returns what to do about a refusal. `signatureHeader` is the source's header with the signature; null without one. */
export function hintFor(code: RefusalCode, signatureHeader: string | null): string | null {
  if (code !== "signature_missing" || signatureHeader === null) return HINTS[code];
  return `no ${signatureHeader}: set the secret in the webhook's settings`;
}

const HINTS: Readonly<Record<RefusalCode, string | null>> = {
  address_not_allowed: "if the sender is yours, add its address to `allow`",
  method_not_allowed: "send the webhook with POST",
  payload_too_large: "let the sender send less, or raise `max_body`",
  unsupported_media_type: "set the content type of the webhook to application/json",
  body_fragmented: "let the sender send its body in larger chunks or with Content-Length",
  body_incomplete: "the connection ended early: check the network and the time limits of proxies",
  over_capacity: "raise `max_unverified`, or restrict the senders with `allow`",
  too_many_attempts: "correct the token at the sender and wait until the time in Retry-After is over",
  signature_missing: "set the secret in the webhook's settings",
  signature_mismatch:
    "signature of another secret, or a body changed on its way: compare the webhook's secret with the source's",
  timestamp_invalid: "let the sender write its time as whole Unix seconds",
  timestamp_too_old: "compare the clocks of the sender and the server, or let the sender send sooner",
  timestamp_too_new: "compare the clocks of the sender and the server",
  token_missing: "show the token that the source requires",
  token_mismatch: "token of another source, or an old one: compare it with the source's",
  token_repeated: "show the token only once",
  challenge_invalid: "send hub.mode=subscribe and one hub.challenge of one line",
  credentials_missing: "set the user and the password in the webhook's settings",
  credentials_mismatch: "compare the user and the password with `basic`; `hooklatch hash` makes the hash",
  client_address_unknown:
    "let the proxy send the address of the client in `client_ip_header`, or use `bearer` or `hmac`",
  client_unknown: "show the verify token first: GET with `Authorization: Bearer TOKEN` from the same address",
  client_expired: "show the verify token again; `client_timeout` says how long it lasts",
  invalid_payload: "look at the payload in the sender's list of deliveries",
  unexpected_payload: "look at the payload in the sender's list of deliveries",
  unavailable: "see the errors in the server's log; the sender may send it again",
  internal_error: "see the error in the server's log",
  https_required: "use https in the URL of the webhook",
};
