import type { RawRequest, SampleRequest, SourceHandler } from "../../domain/provider.ts";
import { AppError } from "../../lib/errors.ts";
import { describeHttpFailure, type HttpFailure } from "../../lib/http-client.ts";
import { httpClient } from "../../runtime/index.ts";

/** A server's response. */
export interface Answer {
  readonly code: number;
  /** The body: one JSON document when the server is a hooklatch. */
  readonly text: string;
}

/** Milliseconds until a server must have responded. */
export const RESPONSE_TIMEOUT = 60_000;

/** Bytes of the largest response to a delivery. A hooklatch sends a few hundred. */
const MAX_RESPONSE = 1024 ** 2;

/** Shows the token with a GET, when the provider admits clients that way; null when requests prove themselves. */
export async function greet(
  url: string,
  { handshake }: SourceHandler,
  insecure = false,
): Promise<Answer | null> {
  return handshake === null ? null : fetchFrom(url, "GET", { headers: handshake.credentials() }, insecure);
}

/**
 * Sends a message as the provider would. Throws an {@link AppError} `failed` when the server cannot be reached.
 *
 * @param insecure whether any certificate is accepted.
 */
export async function post(
  url: string,
  handler: SourceHandler,
  message: SampleRequest,
  insecure = false,
): Promise<Answer> {
  return fetchFrom(url, "POST", handler.compose(message), insecure);
}

/** Sends one request and reads the response. Throws an {@link AppError} `failed` when there is none. */
export async function fetchFrom(
  url: string,
  method: "GET" | "POST",
  request: Partial<RawRequest>,
  insecure = false,
): Promise<Answer> {
  const result = await httpClient.request(url, {
    method,
    ...request,
    insecure,
    timeout: RESPONSE_TIMEOUT,
    maxBody: MAX_RESPONSE,
  });
  if (result.kind === "response") {
    return { code: result.status, text: new TextDecoder().decode(result.body) };
  }
  throw describeUnreachable(url, result, "check the host in --url, or pass --insecure to skip the check");
}

/** The error of a server that did not respond; `advice` is for a certificate that cannot be verified. */
export function describeUnreachable(url: string, failure: HttpFailure, advice: string): AppError {
  const cause = "cause" in failure ? failure.cause : undefined;
  return new AppError(
    "failed",
    `cannot reach ${new URL(url).origin}: ${explainFailure(failure, advice)}`,
    cause,
  );
}

function explainFailure(failure: HttpFailure, advice: string): string {
  if (failure.kind === "unreachable" && failure.code === "ECONNREFUSED") {
    return "nothing listens there; is the server running?";
  }
  const words = describeHttpFailure(failure);
  return failure.kind === "untrusted" ? `${words}; ${advice}` : words;
}
