import { generateKeyPairSync } from "node:crypto";
import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { Clock } from "../lib/clock.ts";
import { toOneLine } from "../lib/text.ts";
import { type CertificatePair, readCertificatePair } from "./certificate.ts";
import { type AccountKey, type AcmeClient, authorizeKey } from "./client.ts";
import { createSigningRequest } from "./csr.ts";
import { describeProblem, OrderError, readProblem } from "./errors.ts";

/** What an order needs. */
export interface OrderContext {
  readonly client: AcmeClient;
  /** An account that the CA knows. */
  readonly account: AccountKey;
  readonly domains: readonly string[];
  /** Receives the answers to challenges by token, while the CA may request them. */
  readonly answers: Map<string, string>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

// The parts of an order and an authorization that are used (RFC 8555, sections 7.1.3 and 7.1.4).
const Order = Type.Object({
  status: Type.String(),
  authorizations: Type.Array(Type.String()),
  finalize: Type.String(),
  certificate: Type.Optional(Type.String()),
  error: Type.Optional(Type.Unknown()),
});
const Challenge = Type.Object({
  type: Type.String(),
  url: Type.String(),
  token: Type.Optional(Type.String()),
  error: Type.Optional(Type.Unknown()),
});
const Authorization = Type.Object({
  status: Type.String(),
  identifier: Type.Object({ value: Type.String() }),
  wildcard: Type.Optional(Type.Boolean()),
  challenges: Type.Array(Challenge),
});

type Order = Static<typeof Order>;
type Authorization = Static<typeof Authorization>;

/** Milliseconds that the CA may take to check the challenges, and again to sign. */
const DECISION_TIMEOUT = 2 * 60_000;
const FIRST_POLL = 250;
const LAST_POLL = 5_000;

/** Proves control of each domain by HTTP-01 and gets a certificate for a new key (RFC 8555, section 7.4). */
export async function orderCertificate(context: OrderContext): Promise<CertificatePair> {
  const { client, account, domains } = context;
  const identifiers = domains.map((value) => ({ type: "dns", value }));
  const { newOrder } = await client.readDirectory();
  const created = await client.post(account, newOrder, { identifiers });
  const url = created.headers.get("location");
  if (url === null) throw new OrderError("the CA created an order without a URL");
  const order = parse(Order, created.json, "order");
  await proveDomains(order.authorizations, context);

  const read = () => readResource(Order, url, "order", context);
  await poll(read, ({ status }) => status !== "pending", context);
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const csr = createSigningRequest(domains, privateKey).toString("base64url");
  const finalized = parse(Order, (await client.post(account, order.finalize, { csr })).json, "order");
  const done = isBeingSigned(finalized) ? await poll(read, (now) => !isBeingSigned(now), context) : finalized;
  const chain = await downloadChain(done, context);
  const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const result = readCertificatePair(chain, key, domains);
  if (result.kind === "invalid") throw new OrderError(`the certificate from the CA ${result.reason}`);
  return result.pair;
}

function isBeingSigned({ status }: Order): boolean {
  return status === "processing" || status === "ready";
}

async function downloadChain(
  { status, certificate, error }: Order,
  { client, account }: OrderContext,
): Promise<string> {
  if (status === "valid" && certificate !== undefined) {
    return (await client.post(account, certificate, null)).text;
  }
  const problem = readProblem(error);
  throw new OrderError(
    problem === null ? `the order became ${toOneLine(status)}` : describeProblem(problem, null),
  );
}

/** Rejects with the problems of all domains, so that a user can correct them at once. */
async function proveDomains(urls: readonly string[], context: OrderContext): Promise<void> {
  const results = await Promise.allSettled(urls.map((url) => proveDomain(url, context)));
  const errors = results.filter((each) => each.status === "rejected").map((each) => each.reason);
  const other = errors.find((error) => !(error instanceof OrderError));
  if (other !== undefined) throw other;
  if (errors.length > 0) throw new OrderError(errors.map(({ message }) => message).join("; "));
}

async function proveDomain(url: string, context: OrderContext): Promise<void> {
  const { client, account, answers } = context;
  const read = () => readResource(Authorization, url, "authorization", context);
  const authorization = await read();
  // An earlier order proved it.
  if (authorization.status === "valid") return;
  const domain = nameOf(authorization);
  const challenge = authorization.challenges.find(({ type }) => type === "http-01");
  if (challenge?.token === undefined) {
    throw new OrderError(
      `the CA offers no HTTP challenge (HTTP-01) for ${domain}, and no other is supported: use another CA, or files in [server.tls]`,
    );
  }
  answers.set(challenge.token, authorizeKey(challenge.token, account));
  try {
    await client.post(account, challenge.url, {});
    const decided = await poll(read, ({ status }) => status !== "pending", context);
    if (decided.status !== "valid") throw describeRefusal(domain, decided);
  } finally {
    answers.delete(challenge.token);
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

async function readResource<Schema extends TSchema>(
  schema: Schema,
  url: string,
  what: string,
  { client, account }: OrderContext,
): Promise<Static<Schema>> {
  return parse(schema, (await client.post(account, url, null)).json, what);
}

function parse<Schema extends TSchema>(schema: Schema, json: unknown, what: string): Static<Schema> {
  if (Value.Check(schema, json)) return json;
  throw new OrderError(`the CA sent something other than an ${what}`);
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
