import type { RawRequest, SampleRequest, SourceHandler } from "../../domain/provider.ts";
import { AppError } from "../../lib/errors.ts";

/** What a server said. */
export interface Answer {
  readonly code: number;
  /** The body, a line of JSON where the server is a hooklatch. */
  readonly text: string;
}

/** Shows the token with a GET, where the dialect admits clients that way; null where requests prove themselves. */
export async function greet(
  url: string,
  { handshake }: SourceHandler,
  insecure = false,
): Promise<Answer | null> {
  return handshake === null ? null : fetchFrom(url, "GET", { headers: handshake.credentials() }, insecure);
}

/**
 * Sends a message as the dialect's provider would. Throws a {@link AppError} `failed` when the server cannot be
 * reached.
 *
 * @param insecure whether a certificate that cannot be verified is good enough.
 */
export async function post(
  url: string,
  dialect: SourceHandler,
  message: SampleRequest,
  insecure = false,
): Promise<Answer> {
  return fetchFrom(url, "POST", dialect.compose(message), insecure);
}

/** Sends one request and reads the whole answer. Throws a {@link AppError} `failed` when there is none. */
export async function fetchFrom(
  url: string,
  method: string,
  { headers, body }: Partial<RawRequest>,
  insecure = false,
): Promise<Answer> {
  try {
    const response = await fetch(url, {
      method,
      redirect: "manual",
      ...(headers === undefined ? {} : { headers }),
      ...(body === undefined ? {} : { body }),
      ...(insecure ? { tls: { rejectUnauthorized: false } } : {}),
    });
    return { code: response.status, text: await response.text() };
  } catch (error) {
    throw describeUnreachable(url, error, "is --url the name in it? --insecure does without");
  }
}

/** The fault of a server that did not answer; `advice` is for a certificate that cannot be verified. */
export function describeUnreachable(url: string, error: unknown, advice: string): AppError {
  return new AppError(
    "failed",
    `cannot reach ${new URL(url).origin}: ${explainFailure(error, advice)}`,
    error,
  );
}

/** The runtime's own words advise on its own functions; these say what a person can do. */
function explainFailure(error: unknown, advice: string): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
  if (code === "ConnectionRefused" || code === "ECONNREFUSED")
    return "nothing listens there; is the server running?";
  if (/CERT|SELF_SIGNED|ISSUER|ERR_TLS/.test(code))
    return `its certificate cannot be verified (${code}); ${advice}`;
  return code;
}
