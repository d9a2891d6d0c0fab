import { Fault } from "../domain/fault.ts";
import type { Dialect, Message, RawRequest } from "../domain/provider.ts";

/** What a server said. */
export interface Answer {
  readonly code: number;
  /** The body, a line of JSON where the server is a hooklatch. */
  readonly text: string;
}

/**
 * Sends a message as the dialect's provider would: signed, or after a handshake that shows the token.
 * Throws a {@link Fault} `failed` when the server cannot be reached.
 *
 * @param insecure whether a certificate that cannot be verified is good enough.
 */
export async function post(
  url: string,
  dialect: Dialect,
  message: Message,
  insecure = false,
): Promise<Answer> {
  if (dialect.handshake !== null) {
    const greeting = await ask(url, "GET", { headers: dialect.handshake.present() }, insecure);
    if (greeting.code !== 200) return greeting;
  }
  return ask(url, "POST", dialect.compose(message), insecure);
}

async function ask(
  url: string,
  method: string,
  { headers, body }: Partial<RawRequest>,
  insecure: boolean,
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
    const why = error instanceof Error ? error.message : String(error);
    throw new Fault("failed", `cannot reach ${new URL(url).origin}: ${why}`, error);
  }
}
