import type { Deployment } from "../domain/deployment.ts";
import type { HttpPost, SendOutcome } from "../domain/notification.ts";
import { errorMessage } from "../lib/errors.ts";
import { describeHttpFailure, type HttpFailure } from "../lib/http-client.ts";
import { httpClient } from "../runtime/index.ts";

/** Explains why the receiver will never accept what it rejected so; null when a retry may succeed. */
export type Refusal = (status: number, headers: Headers) => string | null;

/** How long to wait for a response. */
export interface Patience {
  /** Milliseconds. */
  readonly timeout: number;
  /** Aborted when the program ends: a pending request would delay it. */
  readonly signal: AbortSignal;
}

/**
 * Sends one message. A 2xx accepts it; `refusal` judges every other status. No redirect is followed and no body is
 * read. Reasons name the host alone, because the rest of an address may be a secret. Never rejects, also when
 * `compose` throws.
 */
export async function sendPost(
  compose: () => HttpPost,
  refusal: Refusal,
  { timeout, signal }: Patience,
): Promise<SendOutcome> {
  let post: HttpPost;
  try {
    post = compose();
  } catch (error) {
    // The message is about a missing or unusable secret, which it does not quote.
    return { kind: "failed", reason: `cannot write the message: ${errorMessage(error)}` };
  }
  const { url, headers, body } = post;
  const result = await httpClient.request(url, {
    method: "POST",
    headers,
    body,
    timeout,
    signal,
    maxBody: 0,
  });
  if (result.kind === "invalid URL") return { kind: "refused", reason: describeHttpFailure(result) };
  const { host } = new URL(url);
  return result.kind === "response"
    ? judge(host, result.status, result.headers, refusal)
    : { kind: "failed", reason: describeFailure(host, result) };
}

function judge(host: string, status: number, headers: Headers, refusal: Refusal): SendOutcome {
  if (status >= 200 && status < 300) return { kind: "taken" };
  const why = refusal(status, headers) ?? explainRedirect(status);
  if (why === null) return { kind: "failed", reason: `${host} returned ${status}` };
  return { kind: "refused", reason: `${host} returned ${status}: ${why}` };
}

function explainRedirect(status: number): string | null {
  return status >= 300 && status < 400 ? "it redirects; configure the final address" : null;
}

function describeFailure(host: string, failure: HttpFailure): string {
  if (failure.kind === "aborted") return `hooklatch stopped before ${host} responded`;
  return `the request to ${host} failed: ${describeHttpFailure(failure)}`;
}

/** The commit that was asked for: pushed, or chosen by a person, perhaps in short; null where it was just the tip. */
export function requestedCommit({ pushedCommit, choice }: Deployment): string | null {
  return pushedCommit ?? (choice?.kind === "commit" ? choice.commit : null);
}
