import type { Client } from "acme-client";
import type { BufferedHttpRequest } from "../lib/http-client.ts";
import { parseCertificates } from "../lib/pem.ts";
import type { Secret } from "../lib/secret.ts";
import { httpClient } from "../runtime/index.ts";
import { AcmeConnectionError, AcmeResponseError, OrderError, readProblem, readText } from "./errors.ts";
import type { AcmeStorage } from "./storage.ts";

/** The ACME library. */
export type Acme = typeof import("acme-client");

/**
 * How a CA is reached. Every request rejects with an {@link AcmeResponseError} for an error response and with an
 * {@link AcmeConnectionError} without a response.
 */
export interface AcmeConnection {
  /** The URL of its directory. */
  readonly directory: string;
  /** PEM certificates that verify it; null for the public roots. */
  readonly ca: string | null;
  /** Milliseconds that one response may take. */
  readonly timeout: number;
  /** Ends every request. */
  readonly signal: AbortSignal;
}

/** Bytes of the largest response: a chain of certificates has a few thousand. */
const MAX_RESPONSE = 1024 ** 2;

/**
 * Loads the ACME library, which a start without ACME does not need. Its requests use this connection from now on: the
 * library has one HTTP client for the whole process.
 */
export async function loadAcme(connection: AcmeConnection): Promise<Acme> {
  const acme = await import("acme-client");
  const { defaults, interceptors } = acme.axios;
  // The library's own interceptors repeat a failed request up to five times, whatever the signal says.
  interceptors.request.clear();
  interceptors.response.clear();
  defaults.adapter = async (config) => {
    const method = config.method === "head" ? "HEAD" : config.method === "post" ? "POST" : "GET";
    const { status, headers, text } = await send(config.url ?? "", { method, body: config.data }, connection);
    return { status, statusText: "", headers: Object.fromEntries(headers), data: text, config };
  };
  return acme;
}

/** The CA, the contact address of an account, and the account of the CA's site that it is bound to. */
interface AccountSettings {
  readonly directory: string;
  readonly email: string | null;
  readonly eab: { readonly keyId: string; readonly key: Secret } | null;
}

/** Creates a client for the stored account, with its present e-mail address at the CA. Null without an account. */
export async function openAccount(
  acme: Acme,
  { directory, email }: AccountSettings,
  storage: AcmeStorage,
): Promise<Client | null> {
  const account = storage.readAccount();
  if (account === null) return null;
  const { key: accountKey, url: accountUrl } = account;
  const client = new acme.Client({ directoryUrl: directory, accountKey, accountUrl });
  if (account.email !== email) {
    await client.updateAccount({ contact: contactOf(email) });
    storage.saveAccount({ ...account, email });
  }
  return client;
}

/** Creates an account with a new key, agrees to the CA's terms, stores it, and creates a client for it. */
export async function createAccount(
  acme: Acme,
  { directory, email, eab }: AccountSettings,
  storage: AcmeStorage,
): Promise<Client> {
  const key = await acme.crypto.createPrivateEcdsaKey("P-256");
  const client = new acme.Client({
    directoryUrl: directory,
    accountKey: key,
    ...(eab === null ? {} : { externalAccountBinding: { kid: eab.keyId, hmacKey: eab.key.reveal() } }),
  });
  await client.createAccount({ termsOfServiceAgreed: true, contact: contactOf(email) });
  storage.saveAccount({ url: client.getAccountUrl(), key: key.toString(), email });
  return client;
}

function contactOf(email: string | null): string[] {
  return email === null ? [] : [`mailto:${email}`];
}

/**
 * Reads the CA's directory (RFC 8555, section 7.1.1). Resolves with the base URL of its renewal information (RFC 9773),
 * or null when it offers none. Rejects with an {@link OrderError} when the URL is not a directory.
 */
export async function readDirectory(connection: AcmeConnection): Promise<{ renewalInfo: string | null }> {
  const { directory: url, ca } = connection;
  // The runtime would only report that it cannot connect.
  if (ca !== null && parseCertificates(ca).kind === "damaged") {
    throw new OrderError("the file in `ca` has a damaged certificate; replace it");
  }
  const json = await readJson(url, connection);
  const missing = ["newNonce", "newAccount", "newOrder"].filter((name) => readText(json, name) === null);
  if (missing.length > 0) {
    throw new OrderError(`${url} is not an ACME directory: it lacks ${missing.join(", ")}`);
  }
  return { renewalInfo: readText(json, "renewalInfo") };
}

/** Reads a public resource; undefined when it is not JSON. */
export async function readJson(url: string, connection: AcmeConnection): Promise<unknown> {
  return parseJson((await send(url, {}, connection)).text);
}

async function send(
  url: string,
  request: Pick<BufferedHttpRequest, "method" | "body">,
  { ca, timeout, signal }: AcmeConnection,
): Promise<{ readonly status: number; readonly headers: Headers; readonly text: string }> {
  const result = await httpClient.request(url, {
    ...request,
    // RFC 8555 requires them in sections 6.1 and 6.2.
    headers: { "user-agent": "hooklatch", "content-type": "application/jose+json" },
    timeout,
    signal,
    maxBody: MAX_RESPONSE,
    ...(ca === null ? {} : { ca }),
  });
  if (result.kind !== "response") throw new AcmeConnectionError(result);
  const { status, headers } = result;
  const text = new TextDecoder().decode(result.body);
  const problem = readProblem(parseJson(text));
  // After a bad nonce the library repeats the request with another one.
  if (status < 400 || problem?.type === "badNonce") return { status, headers, text };
  const terms = /<([^>]*)>\s*;\s*rel="?terms-of-service"?/.exec(headers.get("link") ?? "")?.[1];
  throw new AcmeResponseError(status, problem, headers.get("retry-after"), terms ?? null);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
