import type { SampleRequest, SourceHandler } from "../../domain/provider.ts";
import { systemClock } from "../../lib/clock.ts";
import { AppError } from "../../lib/errors.ts";
import { describeHttpFailure, type HttpFailure, type HttpRequest } from "../../lib/http-client.ts";
import { httpClient } from "../../runtime/index.ts";

/** A response of any status, with its body as text. */
export interface TextResponse {
  readonly code: number;
  readonly text: string;
}

/** Milliseconds in which a server must respond. */
export const RESPONSE_TIMEOUT = 60_000;

/**
 * Sends a request and reads the whole response. Throws an {@link AppError} `failed` without a response.
 *
 * @param maxBody bytes of the largest response.
 * @param certificateHint what to check if the server's certificate cannot be verified.
 */
export async function requestText(
  url: string | URL,
  request: Omit<HttpRequest, "timeout">,
  { maxBody, certificateHint }: { readonly maxBody: number; readonly certificateHint: string },
): Promise<TextResponse> {
  const result = await httpClient.request(url, { ...request, timeout: RESPONSE_TIMEOUT, maxBody });
  if (result.kind !== "response") throw unreachableError(url, result, certificateHint);
  return { code: result.status, text: new TextDecoder().decode(result.body) };
}

/** A server did not respond. */
export class UnreachableError extends AppError {}

/** The error for a server that did not respond. */
export function unreachableError(
  url: string | URL,
  failure: HttpFailure,
  certificateHint: string,
): UnreachableError {
  const reason = describeHttpFailure(failure);
  const isRefused = failure.kind === "unreachable" && failure.code === "ECONNREFUSED";
  const hint = isRefused
    ? "; is the server running?"
    : failure.kind === "untrusted"
      ? `; ${certificateHint}`
      : "";
  const cause = "cause" in failure ? failure.cause : undefined;
  return new UnreachableError("failed", `cannot reach ${new URL(url).origin}: ${reason}${hint}`, cause);
}

/** Bytes of the largest response to a delivery. A hooklatch sends a few hundred. */
const MAX_RESPONSE = 1024 ** 2;

/** Sends a request to a source. Throws an {@link AppError} `failed` without a response. */
export function requestSource(
  url: string | URL,
  request: Omit<HttpRequest, "timeout">,
): Promise<TextResponse> {
  const certificateHint = "check the host in --url, or pass --insecure to skip the check";
  return requestText(url, request, { maxBody: MAX_RESPONSE, certificateHint });
}

/** Shows the verify token with a GET; null if the source's requests authenticate themselves. */
export async function showToken(
  url: string,
  { handshake }: SourceHandler,
  insecure = false,
): Promise<TextResponse | null> {
  return handshake === null ? null : requestSource(url, { headers: handshake.credentials(), insecure });
}

/** Sends a delivery as the provider would. Throws an {@link AppError} `failed` without a response. */
export function sendDelivery(
  url: string,
  handler: SourceHandler,
  sample: SampleRequest,
  insecure = false,
): Promise<TextResponse> {
  const destination = new URL(url);
  const { query, headers, body } = handler.compose(sample, {
    path: destination.pathname,
    query: destination.searchParams,
    now: systemClock.now(),
  });
  destination.search = query.toString();
  return requestSource(destination, { method: "POST", headers, body, insecure });
}
