import { Fault } from "../domain/fault.ts";
import type { Dialect, Message, RawRequest } from "../domain/provider.ts";

/** What a server said. */
export interface Answer {
  readonly code: number;
  /** The body, a line of JSON where the server is a hooklatch. */
  readonly text: string;
}

/** Shows the token with a GET, where the dialect admits clients that way; null where requests prove themselves. */
export async function greet(url: string, { handshake }: Dialect, insecure = false): Promise<Answer | null> {
  return handshake === null ? null : ask(url, "GET", { headers: handshake.present() }, insecure);
}

/**
 * Sends a message as the dialect's provider would. Throws a {@link Fault} `failed` when the server cannot be
 * reached.
 *
 * @param insecure whether a certificate that cannot be verified is good enough.
 */
export async function post(
  url: string,
  dialect: Dialect,
  message: Message,
  insecure = false,
): Promise<Answer> {
  return ask(url, "POST", dialect.compose(message), insecure);
}

/** Sends one request and reads the whole answer. Throws a {@link Fault} `failed` when there is none. */
export async function ask(
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
    throw explainUnreachable(url, error, "is --url the name in it? --insecure does without");
  }
}

/** The fault of a server that did not answer; `advice` is for a certificate that cannot be verified. */
export function explainUnreachable(url: string, error: unknown, advice: string): Fault {
  return new Fault("failed", `cannot reach ${new URL(url).origin}: ${explainFailure(error, advice)}`, error);
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
