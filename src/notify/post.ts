import type { HttpPost, SendOutcome } from "../domain/notification.ts";
import { errorMessage } from "../lib/errors.ts";
import { describeHttpFailure } from "../lib/http-client.ts";
import { httpClient } from "../runtime/index.ts";

/** Explains a status that means that the receiver will never accept the message; null when a retry may succeed. */
export type ExplainRejection = (status: number, headers: Headers) => string | null;

/** How long a response may take. */
export interface SendLimits {
  /** Milliseconds. */
  readonly timeout: number;
  /** Aborted when the program ends, which a pending request would delay. */
  readonly signal: AbortSignal;
}

/**
 * Sends one message as JSON. A 2xx accepts it. No redirect is followed and no response body is read. A reason names only
 * the host, because the rest of an address may be a secret. Never rejects, also when `compose` throws.
 */
export async function sendPost(
  compose: () => HttpPost,
  explainRejection: ExplainRejection,
  limits: SendLimits,
): Promise<SendOutcome> {
  let post: HttpPost;
  try {
    post = compose();
  } catch (error) {
    // The error is about a missing or malformed secret, which its message does not quote.
    return { kind: "failed", reason: `cannot compose the message: ${errorMessage(error)}` };
  }
  const { url, body } = post;
  const headers = { "content-type": "application/json", "user-agent": "hooklatch", ...post.headers };
  const result = await httpClient.request(url, { method: "POST", headers, body, ...limits, maxBody: 0 });
  if (result.kind === "invalid URL") return { kind: "refused", reason: describeHttpFailure(result) };
  const { host } = new URL(url);
  if (result.kind === "aborted") {
    return { kind: "failed", reason: `hooklatch stopped before ${host} responded` };
  }
  if (result.kind !== "response") {
    return { kind: "failed", reason: `the request to ${host} failed: ${describeHttpFailure(result)}` };
  }
  const { status } = result;
  if (status >= 200 && status < 300) return { kind: "taken" };
  const why = explainRejection(status, result.headers) ?? explainRedirect(status);
  if (why === null) return { kind: "failed", reason: `${host} returned ${status}` };
  return { kind: "refused", reason: `${host} returned ${status}: ${why}` };
}

function explainRedirect(status: number): string | null {
  return status >= 300 && status < 400 ? "it redirects; configure the final address" : null;
}
