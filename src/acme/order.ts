import type { Authorization, Client, Order } from "acme-client";
import type { ChallengeStore } from "../domain/host.ts";
import type { Clock } from "../lib/clock.ts";
import { toOneLine } from "../lib/text.ts";
import { type CertificatePair, readCertificatePair } from "./certificate.ts";
import type { Acme } from "./client.ts";
import { describeProblem, OrderError, readProblem } from "./errors.ts";

/** The services of an order. */
export interface OrderContext {
  readonly acme: Acme;
  /** The client of an account that the CA knows. */
  readonly client: Client;
  readonly domains: readonly string[];
  /** Receives the answers to challenges by token, while the CA may request them. */
  readonly answers: Map<string, string>;
  /** Receives them too, for other processes that the CA may ask; null for none. */
  readonly challenges: ChallengeStore | null;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Milliseconds that the CA may take to validate the challenges, and again to sign. */
const DECISION_TIMEOUT = 2 * 60_000;
const FIRST_POLL = 250;
const LAST_POLL = 5_000;

/** Proves control of each domain by HTTP-01 and gets a certificate for a new key (RFC 8555, section 7.4). */
export async function orderCertificate(context: OrderContext): Promise<CertificatePair> {
  const { acme, client, domains } = context;
  const identifiers = domains.map((value) => ({ type: "dns", value }));
  const order = await client.createOrder({ identifiers });
  await proveDomains(order, context);

  const read = () => client.getOrder(order);
  await poll(read, ({ status }) => status !== "pending", context);
  const key = await acme.crypto.createPrivateEcdsaKey("P-256");
  const [, request] = await acme.crypto.createCsr({ altNames: [...domains] }, key);
  const finalized = await client.finalizeOrder(order, request);
  const done = isBeingSigned(finalized) ? await poll(read, (now) => !isBeingSigned(now), context) : finalized;
  if (done.status !== "valid") {
    const problem = readProblem(done.error);
    throw new OrderError(
      problem === null ? `the order became ${toOneLine(done.status)}` : describeProblem(problem, null),
    );
  }
  const result = readCertificatePair(await client.getCertificate(done), key.toString(), domains);
  if (result.kind === "invalid") throw new OrderError(`the certificate from the CA ${result.reason}`);
  return result.pair;
}

function isBeingSigned({ status }: Order): boolean {
  return status === "processing" || status === "ready";
}

/** Rejects with the problems of all domains, so that the user can correct them at once. */
async function proveDomains(order: Order, context: OrderContext): Promise<void> {
  const authorizations = await context.client.getAuthorizations(order);
  const results = await Promise.allSettled(authorizations.map((each) => proveDomain(order, each, context)));
  const errors = results.filter((each) => each.status === "rejected").map((each) => each.reason);
  const other = errors.find((error) => !(error instanceof OrderError));
  if (other !== undefined) throw other;
  if (errors.length > 0) throw new OrderError(errors.map(({ message }) => message).join("; "));
}

async function proveDomain(order: Order, authorization: Authorization, context: OrderContext): Promise<void> {
  // An earlier order proved it.
  if (authorization.status === "valid") return;
  const { client, answers, challenges } = context;
  const domain = nameOf(authorization);
  const challenge = authorization.challenges.find(({ type }) => type === "http-01");
  if (challenge === undefined) {
    throw new OrderError(
      `the CA offers no HTTP challenge (HTTP-01) for ${domain}, and no other is supported: use another CA, or files in [server.tls]`,
    );
  }
  const read = async () => {
    // The library reads authorizations by the order that lists them.
    const [now] = await client.getAuthorizations({ ...order, authorizations: [authorization.url] });
    return now ?? authorization;
  };
  const { token } = challenge;
  const answer = await client.getChallengeKeyAuthorization(challenge);
  answers.set(token, answer);
  try {
    await challenges?.store(token, answer);
    await client.completeChallenge(challenge);
    const decided = await poll(read, ({ status }) => status !== "pending", context);
    if (decided.status !== "valid") throw describeRefusal(domain, decided);
  } finally {
    answers.delete(token);
    await challenges?.remove(token);
  }
}

/** The name as ordered: an authorization leaves out the star of a wildcard (RFC 8555, section 7.1.4). */
function nameOf({ identifier, wildcard }: Authorization): string {
  return toOneLine(wildcard === true ? `*.${identifier.value}` : identifier.value);
}

function describeRefusal(domain: string, { status, challenges }: Authorization): OrderError {
  const problems = challenges.map(({ error }) => readProblem(error));
  const problem = problems.find((each) => each !== null) ?? null;
  return new OrderError(
    problem === null
      ? `the authorization of ${domain} became ${toOneLine(status)} without a reason`
      : describeProblem(problem, domain),
  );
}

/** Reads a resource with growing pauses until the CA has decided. */
async function poll<Resource>(
  read: () => Promise<Resource>,
  isDecided: (now: Resource) => boolean,
  { clock, signal }: OrderContext,
): Promise<Resource> {
  let waited = 0;
  for (let pause = FIRST_POLL; ; pause = Math.min(pause * 2, LAST_POLL)) {
    const now = await read();
    if (isDecided(now)) return now;
    if (waited >= DECISION_TIMEOUT) {
      throw new OrderError(
        `the CA has not decided within ${DECISION_TIMEOUT / 60_000} minutes; try again later`,
      );
    }
    await clock.sleep(pause, signal);
    signal.throwIfAborted();
    waited += pause;
  }
}
