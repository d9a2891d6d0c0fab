import { AsyncLocalStorage } from "node:async_hooks";
import type { Agent } from "node:https";
import { codeOf } from "../domain/fault.ts";
import { textOf } from "./document.ts";
import { type Problem, readProblem } from "./problem.ts";

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
export class Refusal extends Error {
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
export class NoAnswer extends Error {
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
 * Lets `act` talk to a CA. What it asks for rejects with a {@link Refusal} or a {@link NoAnswer}, and is given up when
 * the terms' signal is aborted. The library is loaded when this is called first.
 */
export async function converse<T>(terms: Terms, act: (acme: Acme) => Promise<T>): Promise<T> {
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
      throw new Refusal(
        response.status,
        problem,
        textOf(headers.get("retry-after")),
        link?.match(/<([^>]*)>\s*;\s*rel="?terms-of-service"?/)?.[1] ?? null,
      );
    },
    (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      const code = codeOf(error);
      throw new NoAnswer(code ?? "unknown", message);
    },
  );
  return acme;
}
