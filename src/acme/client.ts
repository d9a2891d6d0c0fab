import { createHash, createPublicKey, type KeyObject, sign } from "node:crypto";
import type { BufferedHttpRequest } from "../lib/http-client.ts";
import { httpClient } from "../runtime/index.ts";
import { AcmeConnectionError, AcmeResponseError, OrderError, readProblem } from "./errors.ts";
import { fieldOf, textOf } from "./json.ts";

/** How a CA is reached. */
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

/** The key of an account, and its URL, which is null while the account is being created. */
export interface AccountKey {
  /** EC on P-256. */
  readonly key: KeyObject;
  readonly url: string | null;
}

/** A successful response. */
export interface AcmeResponse {
  readonly headers: Headers;
  readonly text: string;
  /** The body when it is JSON; else undefined. */
  readonly json: unknown;
}

/** The part of a CA's directory that is used (RFC 8555, section 7.1.1). */
export interface Directory {
  readonly newNonce: string;
  readonly newAccount: string;
  readonly newOrder: string;
  /** The base URL of its renewal information (RFC 9773); null when it offers none. */
  readonly renewalInfo: string | null;
}

/**
 * Speaks ACME with one CA. Every method rejects with an {@link AcmeResponseError} for an error response and with an
 * {@link AcmeConnectionError} for none.
 */
export interface AcmeClient {
  /** Requested once. Rejects with an {@link OrderError} when the URL is not an ACME directory. */
  readDirectory(): Promise<Directory>;
  /** Reads a public resource. */
  get(url: string): Promise<AcmeResponse>;
  /** Sends a signed request (RFC 8555, section 6.2). A null payload reads a resource, as "POST-as-GET". */
  post(account: AccountKey, url: string, payload: object | null): Promise<AcmeResponse>;
}

/** Bytes of the largest response: a chain of certificates has a few thousand. */
const MAX_RESPONSE = 1024 ** 2;

/** A CA may reject a nonce that it issued, and sends another one with the error (RFC 8555, section 6.5). */
const MAX_NONCE_RETRIES = 5;

/** Creates a client of a CA. */
export function createAcmeClient(connection: AcmeConnection): AcmeClient {
  const nonces: string[] = [];
  let directory: Promise<Directory> | null = null;

  async function send(
    url: string,
    request: Pick<BufferedHttpRequest, "method" | "headers" | "body">,
  ): Promise<AcmeResponse> {
    const { ca, timeout, signal } = connection;
    const result = await httpClient.request(url, {
      ...request,
      // Required by RFC 8555, section 6.1.
      headers: { "user-agent": "hooklatch", ...request.headers },
      timeout,
      signal,
      maxBody: MAX_RESPONSE,
      ...(ca === null ? {} : { ca }),
    });
    if (result.kind !== "response") throw new AcmeConnectionError(result);
    const nonce = result.headers.get("replay-nonce");
    if (nonce !== null) nonces.push(nonce);
    const text = new TextDecoder().decode(result.body);
    const response = { headers: result.headers, text, json: parseJson(text) };
    if (result.status >= 400) throw toResponseError(result.status, response);
    return response;
  }

  async function takeNonce(): Promise<string> {
    if (nonces.length === 0) await send((await readDirectory()).newNonce, { method: "HEAD" });
    const nonce = nonces.pop();
    if (nonce === undefined) throw new OrderError("the CA sent no nonce");
    return nonce;
  }

  function readDirectory(): Promise<Directory> {
    directory ??= send(connection.directory, {}).then(({ json }) => toDirectory(json, connection.directory));
    return directory;
  }

  async function post(account: AccountKey, url: string, payload: object | null): Promise<AcmeResponse> {
    for (let retries = 0; ; retries += 1) {
      const body = signRequest(account, url, await takeNonce(), payload);
      try {
        return await send(url, {
          method: "POST",
          headers: { "content-type": "application/jose+json" },
          body,
        });
      } catch (error) {
        const isBadNonce = error instanceof AcmeResponseError && error.problem?.type === "badNonce";
        if (!isBadNonce || retries === MAX_NONCE_RETRIES) throw error;
      }
    }
  }

  return { readDirectory, get: (url) => send(url, {}), post };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function toResponseError(status: number, { headers, json }: AcmeResponse): AcmeResponseError {
  const link = headers.get("link") ?? "";
  const terms = /<([^>]*)>\s*;\s*rel="?terms-of-service"?/.exec(link)?.[1] ?? null;
  return new AcmeResponseError(status, readProblem(json), headers.get("retry-after"), terms);
}

function toDirectory(json: unknown, url: string): Directory {
  const read = (name: string) => textOf(fieldOf(json, name));
  const [newNonce, newAccount, newOrder] = [read("newNonce"), read("newAccount"), read("newOrder")];
  if (newNonce !== null && newAccount !== null && newOrder !== null) {
    return { newNonce, newAccount, newOrder, renewalInfo: read("renewalInfo") };
  }
  const missing = ["newNonce", "newAccount", "newOrder"].filter((name) => read(name) === null);
  throw new OrderError(`${url} is not an ACME directory: it lacks ${missing.join(", ")}`);
}

/** A JSON Web Signature in its flattened form (RFC 7515, section 7.2.2), with ES256 (RFC 7518, section 3.4). */
function signRequest(
  { key, url: kid }: AccountKey,
  url: string,
  nonce: string,
  payload: object | null,
): string {
  const identity = kid === null ? { jwk: toJwk(key) } : { kid };
  const header = encode(JSON.stringify({ alg: "ES256", nonce, url, ...identity }));
  const body = payload === null ? "" : encode(JSON.stringify(payload));
  const signature = sign("sha256", Buffer.from(`${header}.${body}`), { key, dsaEncoding: "ieee-p1363" });
  return JSON.stringify({ protected: header, payload: body, signature: signature.toString("base64url") });
}

/** The public key, with its members in the order that thumbprints need (RFC 7638, section 3.2). */
function toJwk(key: KeyObject): object {
  const { crv, kty, x, y } = createPublicKey(key).export({ format: "jwk" });
  return { crv, kty, x, y };
}

function encode(text: string): string {
  return Buffer.from(text).toString("base64url");
}

/** What a server shows at a challenge's token to prove that it acts for the account (RFC 8555, section 8.1). */
export function authorizeKey(token: string, { key }: AccountKey): string {
  const thumbprint = createHash("sha256")
    .update(JSON.stringify(toJwk(key)))
    .digest("base64url");
  return `${token}.${thumbprint}`;
}
