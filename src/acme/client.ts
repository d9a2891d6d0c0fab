import { AsyncLocalStorage } from "node:async_hooks";
import type { Agent } from "node:https";
import type { Client } from "acme-client";
import { systemErrorCode } from "../lib/errors.ts";
import { OrderFailure, type Problem, readProblem } from "./errors.ts";
import { fieldOf, textOf } from "./json.ts";
import type { AcmeStorage, StoredAccount } from "./storage.ts";

/** The ACME library. */
export type Acme = typeof import("acme-client");

/** On which terms a CA is talked to. */
export interface Terms {
  /** PEM text that its certificate is verified with; null for the public roots. */
  readonly ca: string | null;
  /** Milliseconds that one answer may take, from the connection to its last byte. */
  readonly patience: number;
  readonly signal: AbortSignal;
}

/** The CA's answer to one request was an error: a problem document (RFC 8555, section 6.7), or just a status. */
export class AcmeRefusal extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem | null,
    /** The Retry-After header. */
    readonly retryAfter: string | null,
    /** The first address of a Link header with `rel="terms-of-service"`. */
    readonly termsOfService: string | null,
  ) {
    super(problem?.detail ?? `HTTP ${status}`);
  }
}

/** There was no answer: of the network or of TLS. */
export class AcmeUnreachable extends Error {
  constructor(
    /** The system's or OpenSSL's name for it, such as `ECONNREFUSED`. */
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** No honest answer of a CA comes near. */
const MAX_ANSWER = 1024 ** 2;

interface Conversation {
  readonly agent: Agent | null;
  readonly terms: Terms;
}

/** The library sends everything through one client of its own: what belongs to each conversation is told aside. */
const conversations = new AsyncLocalStorage<Conversation>();
let loading: Promise<Acme> | null = null;

/**
 * Lets `act` talk to a CA. What it asks for rejects with a {@link AcmeRefusal} or a {@link AcmeUnreachable}, and is given up when
 * the terms' signal is aborted. The library is loaded when this is called first.
 */
export async function withAcmeClient<T>(terms: Terms, act: (acme: Acme) => Promise<T>): Promise<T> {
  loading ??= load();
  const acme = await loading;
  const agent = terms.ca === null ? null : await openAgent(terms.ca);
  return conversations.run({ agent, terms }, () => act(acme));
}

/** Loaded late as well: a start without a CA has no use for it. */
async function openAgent(ca: string): Promise<Agent> {
  const { Agent } = await import("node:https");
  return new Agent({ ca });
}

async function load(): Promise<Acme> {
  const acme = await import("acme-client");
  const { defaults, interceptors } = acme.axios;
  // The library's own would sleep for as long as a Retry-After says, and lose why there was no answer.
  interceptors.request.clear();
  interceptors.response.clear();
  defaults.maxContentLength = MAX_ANSWER;
  defaults.validateStatus = null;
  interceptors.request.use((config) => {
    const conversation = conversations.getStore();
    if (conversation === undefined) return config;
    const { agent, terms } = conversation;
    if (agent !== null) config.httpsAgent = agent;
    config.signal = AbortSignal.any([terms.signal, AbortSignal.timeout(terms.patience)]);
    return config;
  });
  interceptors.response.use(
    (response) => {
      const problem = readProblem(response.data);
      // The library takes another nonce and asks again.
      if (response.status < 400 || problem?.type === "badNonce") return response;
      const headers = new Map(Object.entries(response.headers));
      const link = textOf(headers.get("link"));
      throw new AcmeRefusal(
        response.status,
        problem,
        textOf(headers.get("retry-after")),
        link?.match(/<([^>]*)>\s*;\s*rel="?terms-of-service"?/)?.[1] ?? null,
      );
    },
    (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      const code = systemErrorCode(error);
      throw new AcmeUnreachable(code ?? "unknown", message);
    },
  );
  return acme;
}

interface AccountSettings {
  readonly directory: string;
  readonly email: string | null;
}

/** A client that signs as the kept account; the CA is told when the e-mail address is another. */
export async function openAccount(
  acme: Acme,
  kept: StoredAccount,
  { directory, email }: AccountSettings,
  cabinet: AcmeStorage,
): Promise<Client> {
  const client = new acme.Client({ directoryUrl: directory, accountKey: kept.key, accountUrl: kept.url });
  if (kept.email !== email) {
    await client.updateAccount({ contact: contactOf(email) });
    cabinet.keepAccount({ ...kept, email });
  }
  return client;
}

/** Makes an account with a key of its own, agreeing to the CA's terms, and keeps it. */
export async function registerAccount(
  acme: Acme,
  { directory, email }: AccountSettings,
  cabinet: AcmeStorage,
): Promise<Client> {
  const key = await acme.crypto.createPrivateEcdsaKey("P-256");
  const client = new acme.Client({ directoryUrl: directory, accountKey: key });
  await client.createAccount({ termsOfServiceAgreed: true, contact: contactOf(email) });
  cabinet.keepAccount({ url: client.getAccountUrl(), key: key.toString(), email });
  return client;
}

/** Whether the CA says that it has no such account: it forgot it, or it is another CA at the same address. */
export function isUnknownAccount(error: unknown): boolean {
  return error instanceof AcmeRefusal && error.problem?.type === "accountDoesNotExist";
}

function contactOf(email: string | null): string[] {
  return email === null ? [] : [`mailto:${email}`];
}

/** What a CA offers beyond what each must (RFC 8555, section 7.1.1). */
export interface Directory {
  /** The base of its renewal information (RFC 9773); null where it has none. */
  readonly renewalInfo: string | null;
}

/** Reads a CA's directory. Rejects with an {@link OrderFailure} when something else is at the URL. */
export async function readDirectory(acme: Acme, url: string): Promise<Directory> {
  const { data } = await acme.axios.get<unknown>(url);
  const missing = ["newNonce", "newAccount", "newOrder"].filter(
    (name) => textOf(fieldOf(data, name)) === null,
  );
  if (missing.length > 0) {
    throw new OrderFailure(`what is at ${url} is no ACME directory (it has no ${missing.join(", no ")})`);
  }
  return { renewalInfo: textOf(fieldOf(data, "renewalInfo")) };
}
