import type { Authorization, Client, Order } from "acme-client";
import type { Clock } from "../lib/clock.ts";
import { toOneLine } from "../lib/text.ts";
import { type CertificatePair, readCertificatePair } from "./certificate.ts";
import type { Acme } from "./client.ts";
import { describeProblem, OrderFailure, readProblem } from "./errors.ts";
import { fieldOf } from "./json.ts";

/** What an order needs. */
export interface OrderTools {
  readonly acme: Acme;
  /** Of an account that the CA knows. */
  readonly client: Client;
  readonly domains: readonly string[];
  /** Where the answers to challenges stand by their tokens, for as long as they are asked for. */
  readonly answers: Map<string, string>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** How long the CA may take to look at the challenges, and then to sign, in milliseconds. */
const DECISION_TIME = 2 * 60_000;
const FIRST_LOOK = 250;
const LAST_LOOK = 5_000;

/** Proves each domain by HTTP-01 and has a new key certified (RFC 8555, section 7.4). */
export async function orderCertificate(tools: OrderTools): Promise<CertificatePair> {
  const { acme, client, domains } = tools;
  const identifiers = domains.map((value) => ({ type: "dns", value }));
  const order = await client.createOrder({ identifiers });
  await proveDomains(await client.getAuthorizations(order), tools);

  await untilDecided(
    () => client.getOrder(order),
    (now) => now.status !== "pending",
    tools,
  );
  const key = await acme.crypto.createPrivateEcdsaKey("P-256");
  const [, request] = await acme.crypto.createCsr({ altNames: [...domains] }, key);
  const finalized = await client.finalizeOrder(order, request);
  const done = await untilDecided(
    () => (isBeingSigned(finalized) ? client.getOrder(order) : Promise.resolve(finalized)),
    (now) => !isBeingSigned(now),
    tools,
  );
  if (done.status !== "valid") {
    const problem = readProblem(done.error);
    throw new OrderFailure(
      problem === null ? `the order became ${done.status}` : describeProblem(problem, null),
    );
  }
  const reading = readCertificatePair(await client.getCertificate(done), key.toString(), domains);
  if (reading.kind === "unfit") throw new OrderFailure(`the certificate that the CA gave ${reading.reason}`);
  return reading.pair;
}

function isBeingSigned({ status }: Order): boolean {
  return status === "processing" || status === "ready";
}

/** Rejects with what is wrong of every domain, so that nobody mends them one at a time. */
async function proveDomains(authorizations: readonly Authorization[], tools: OrderTools): Promise<void> {
  const settled = await Promise.allSettled(authorizations.map((each) => proveDomain(each, tools)));
  const errors = settled.filter((each) => each.status === "rejected").map((each) => each.reason);
  const other = errors.find((error) => !(error instanceof OrderFailure));
  if (other !== undefined) throw other;
  if (errors.length > 0) throw new OrderFailure(errors.map(({ message }) => message).join("; "));
}

async function proveDomain(authorization: Authorization, tools: OrderTools): Promise<void> {
  // Proved with an order not long ago.
  if (authorization.status === "valid") return;
  const { client, answers } = tools;
  const domain = nameOf(authorization);
  const challenge = authorization.challenges.find(({ type }) => type === "http-01");
  if (challenge === undefined) {
    throw new OrderFailure(
      `the CA does not let ${domain} be proved over HTTP (HTTP-01), the one way there is; take another CA, or files in [server.tls]`,
    );
  }
  answers.set(challenge.token, await client.getChallengeKeyAuthorization(challenge));
  try {
    await client.completeChallenge(challenge);
    const decided = await untilDecided(
      () => lookAgain(authorization, client),
      ({ status }) => status !== "pending",
      tools,
    );
    if (decided.status !== "valid") throw explainInvalid(domain, decided);
  } finally {
    answers.delete(challenge.token);
  }
}

/** As it was asked for: an authorization has a wildcard's name without its star (RFC 8555, section 7.1.4). */
function nameOf({ identifier, wildcard }: Authorization): string {
  return toOneLine(wildcard === true ? `*.${identifier.value}` : identifier.value);
}

async function lookAgain({ url }: Authorization, client: Client): Promise<Authorization> {
  const [now] = await client.getAuthorizations({ ...EMPTY_ORDER, authorizations: [url] });
  if (now === undefined) throw new OrderFailure("the CA lost an authorization");
  return now;
}

/** The library reads authorizations by the order that names them. */
const EMPTY_ORDER: Order = { status: "pending", identifiers: [], authorizations: [], finalize: "", url: "" };

function explainInvalid(domain: string, { status, challenges }: Authorization): OrderFailure {
  const errors = challenges.map((challenge) => readProblem(fieldOf(challenge, "error")));
  const problem = errors.find((error) => error !== null) ?? null;
  return new OrderFailure(
    problem === null ? `the CA calls ${domain} ${status} without a reason` : describeProblem(problem, domain),
  );
}

/** Asks with growing waits until it is decided. */
async function untilDecided<T>(
  ask: () => Promise<T>,
  isDecided: (now: T) => boolean,
  { clock, signal }: OrderTools,
): Promise<T> {
  let waited = 0;
  for (let wait = FIRST_LOOK; ; wait = Math.min(wait * 2, LAST_LOOK)) {
    const now = await ask();
    if (isDecided(now)) return now;
    if (waited >= DECISION_TIME) {
      throw new OrderFailure(
        `the CA has not decided within ${DECISION_TIME / 60_000} minutes; it may be busy`,
      );
    }
    await clock.sleep(wait, signal);
    signal.throwIfAborted();
    waited += wait;
  }
}
