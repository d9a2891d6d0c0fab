import type { Deployment } from "../domain/deployment.ts";
import type { HttpPost, SendOutcome } from "../domain/notification.ts";
import { systemErrorCode } from "../lib/errors.ts";

/** Says why what was answered so will never be taken; null where it may be tried again. */
export type Refusal = (status: number, headers: Headers) => string | null;

/** How long an answer is waited for. */
export interface Patience {
  /** Milliseconds until it must have come. */
  readonly timeout: number;
  /** Aborted when nobody waits any more: a request under way would keep the program from ending. */
  readonly signal: AbortSignal;
}

/**
 * Sends one message. A 2xx takes it; `refusal` is asked about any other answer. No redirect is followed, of the answer
 * only its head is read, and of the address a reason names only the host: the rest of it may be a secret.
 * Never rejects, also when `compose` throws.
 */
export async function sendPost(
  compose: () => HttpPost,
  refusal: Refusal,
  { timeout, signal }: Patience,
): Promise<SendOutcome> {
  let host = "";
  try {
    const { url, headers, body } = compose();
    const address = readAddress(url);
    if (address === null) return { kind: "refused", reason: "its address is not an http or https URL" };
    host = address.host;
    const response = await fetch(address, {
      method: "POST",
      headers,
      body,
      redirect: "manual",
      // Notices are rare: a connection that is kept would often be one that the other end has closed meanwhile.
      keepalive: false,
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeout)]),
    });
    // Not awaited: whatever becomes of an endless body, the answer is known.
    response.body?.cancel().catch(() => undefined);
    return judge(host, response, refusal);
  } catch (error) {
    return { kind: "failed", reason: describeFailure(host, error, timeout) };
  }
}

function judge(host: string, { ok, status, headers }: Response, refusal: Refusal): SendOutcome {
  if (ok) return { kind: "taken" };
  const why = refusal(status, headers) ?? explainRedirect(status);
  if (why === null) return { kind: "failed", reason: `${host} answered ${status}` };
  return { kind: "refused", reason: `${host} answered ${status}: ${why}` };
}

function explainRedirect(status: number): string | null {
  return status >= 300 && status < 400 ? "it redirects; configure the final address" : null;
}

/** The runtime can also post to files and buckets, which nobody means here. */
function readAddress(url: string): URL | null {
  const address = URL.canParse(url) ? new URL(url) : null;
  return address !== null && /^https?:$/.test(address.protocol) ? address : null;
}

function describeFailure(host: string, error: unknown, timeout: number): string {
  if (!(error instanceof Error)) return `cannot post to ${host}`;
  // Nothing was sent: the message is our own, of a secret that is missing or unfit, and does not quote it.
  if (host === "") return `cannot write the message: ${error.message}`;
  if (error.name === "AbortError") return `hooklatch stopped before ${host} answered`;
  if (error.name === "TimeoutError") return `${host} gave no answer within ${timeout / 1000} s`;
  // By its code or class alone: the runtime's message may quote the address or a header.
  const code = systemErrorCode(error) ?? error.name;
  return `cannot post to ${host} (${code})`;
}

/** The commit that was asked for: pushed, or chosen by a person, perhaps in short; null where it was just the tip. */
export function requestedCommit({ pushedCommit, choice }: Deployment): string | null {
  return pushedCommit ?? (choice?.kind === "commit" ? choice.commit : null);
}
