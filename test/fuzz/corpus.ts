import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import definitions from "@octokit/webhooks-examples";
import { pingBody, pushBody } from "../support/payloads.ts";
import type { Random } from "../support/random.ts";
import { HOSTILE, KEYS, SIGNATURES } from "./keys.ts";
import { type FuzzRequest, withHeader } from "./request.ts";

const FIXTURES = join(import.meta.dir, "../fixtures/github");

interface Example {
  readonly event: string;
  readonly json: string;
}

/** Real payloads: the examples that GitHub publishes, and fixtures for the pushes that are missing there. */
const EXAMPLES: readonly Example[] = [
  ...definitions.flatMap(({ name, examples }) =>
    (examples as readonly unknown[]).map((payload) => ({
      event: name as string,
      json: JSON.stringify(payload),
    })),
  ),
  ...readdirSync(FIXTURES)
    .filter((file) => file.startsWith("push-"))
    .map((file) => ({ event: "push", json: readFileSync(join(FIXTURES, file), "utf8") })),
];

/** Payloads of events that the server acts on. {@link composeRequest} picks them in half of its requests. */
const PUSHES_AND_PINGS: readonly Example[] = [
  { event: "push", json: pushBody() },
  { event: "ping", json: pingBody() },
  ...EXAMPLES.filter(({ event }) => event === "push" || event === "ping"),
];

/** Real payloads of other forges, by the source that takes them. */
const OTHER_FORGES: Readonly<
  Record<string, { readonly header: string; readonly examples: readonly Example[] }>
> = {
  gitea: {
    header: "X-Gitea-Event",
    examples: [
      readExample("push", "gitea/push-event"),
      readExample("delete", "gitea/delete-event"),
      readExample("release", "gitea/release-event"),
    ],
  },
  bitbucket: {
    header: "X-Event-Key",
    examples: [
      readExample("repo:push", "bitbucket/repo-push"),
      readExample("repo:refs_changed", "bitbucket-server/repo-refs-changed"),
      readExample("pullrequest:fulfilled", "bitbucket/pull-request-merged"),
    ],
  },
};

function readExample(event: string, name: string): Example {
  return { event, json: readFileSync(join(FIXTURES, `../payloads/${name}.json`), "utf8") };
}

/** Returns a random item of the list, which must not be empty. */
export function pick<T>(random: Random, list: readonly T[]): T {
  const item = list[random.below(list.length)];
  if (item === undefined) throw new Error("cannot pick from an empty list");
  return item;
}

/** Returns true with a probability of `percent`. */
export function chance(random: Random, percent: number): boolean {
  return random.below(100) < percent;
}

/** Returns a valid request without authentication, from an address that {@link MEMBER_ADDRESSES} contains. */
export function composeRequest(random: Random): FuzzRequest {
  const source = pick(random, [
    "github",
    "github",
    "github",
    "client",
    "bearer",
    "signed",
    "signed",
    "gitea",
    "bitbucket",
  ]);
  const forge = OTHER_FORGES[source];
  const { event, json } = pick(random, forge?.examples ?? (chance(random, 50) ? PUSHES_AND_PINGS : EXAMPLES));
  // Without a nonce the body may repeat, and the server then handles it as a duplicate.
  const nonce = chance(random, 80) ? `,"nonce":"${hex(random, 16)}"}` : "}";
  const values = chance(random, 30) ? writeHostileValues(random) : "";
  const text = json.trimEnd().slice(0, -1) + values + nonce;
  const isForm = source === "github" && chance(random, 40);
  const body = Buffer.from(isForm ? `payload=${encodeURIComponent(text)}` : text);
  // A body in more than 1024 small chunks is refused.
  const smallest = Math.ceil(body.length / 1000);
  const framing = chance(random, 70) ? "length" : Math.max(smallest, 1 + random.below(8192));
  return {
    method: "POST",
    target: source === "github" ? "/github-webhook" : `/${source}`,
    version: "HTTP/1.1",
    headers: [
      ["Host", "hooks.test"],
      ["Connection", "close"],
      ["X-Forwarded-For", memberAddress(random)],
      ["User-Agent", "GitHub-Hookshot/044aadd"],
      ["Content-Type", isForm ? "application/x-www-form-urlencoded" : "application/json"],
      [forge?.header ?? "X-GitHub-Event", event],
      ["X-GitHub-Delivery", `${hex(random, 8)}-${hex(random, 4)}-${hex(random, 12)}`],
      ["X-GitHub-Hook-Id", String(1 + random.below(3))],
    ],
    body,
    framing,
  };
}

/** Values that `payload_env` of a target takes, which no signature protects from a hostile sender. */
function writeHostileValues(random: Random): string {
  const text = pick(random, HOSTILE);
  const ref = JSON.stringify(`refs/heads/${text.replaceAll("\n", "")}`);
  return `,"ref":${ref},"actor":${JSON.stringify({ display_name: text })}`;
}

/** Returns a GET with a valid verify token, which authorises its address at the source `client`. */
export function composeHandshake(random: Random): FuzzRequest {
  return handshake(
    memberAddress(random),
    pick(random, [
      [`verify_token=${TOKEN}`],
      [`hub.mode=subscribe&hub.challenge=${hex(random, 8)}&hub.verify_token=${TOKEN}`],
      ["", `Bearer ${KEYS.TOKEN}`],
      ["a=b", `bearer ${KEYS.TOKEN}`],
    ]),
  );
}

/** Returns a GET with an almost valid token, or with the valid token in an invalid form. The server must reject it. */
export function composeInvalidHandshake(random: Random): FuzzRequest {
  const at = random.below(KEYS.TOKEN.length);
  const guess = encodeURIComponent(`${KEYS.TOKEN.slice(0, at)}~${KEYS.TOKEN.slice(at + random.below(2))}`);
  return handshake(
    strangerAddress(random),
    pick(random, [
      [`verify_token=${guess}`],
      [`hub.mode=subscribe&hub.challenge=x&hub.verify_token=${guess}`],
      ["", `Bearer ${guess}`],
      [`verify_token=${encodeURIComponent(KEYS.TOKEN.slice(0, at))}`],
      [`verify_token=${TOKEN.toUpperCase()}`],
      [`verify_token=${TOKEN}%00`],
      [`verify_token=${TOKEN}&verify_token=${TOKEN}`],
      [`verify_token=${TOKEN}&verify_token=`],
      [`verify_token[]=${TOKEN}`],
      [`VERIFY_TOKEN=${TOKEN}`],
      [`hub.verify_token=${TOKEN}`],
      [`hub.mode=unsubscribe&hub.challenge=x&hub.verify_token=${TOKEN}`],
      [`hub.mode=subscribe&hub.challenge=a%0d%0ab&hub.verify_token=${TOKEN}`],
      [`verify_token=${TOKEN}`, `Bearer ${KEYS.TOKEN}`],
      ["", `Basic ${KEYS.TOKEN}`],
      ["", `Bearer ${KEYS.TOKEN}, Bearer ${KEYS.TOKEN}`],
      ["", KEYS.TOKEN],
    ]),
  );
}

function handshake(address: string, [query = "", authorization]: readonly string[]): FuzzRequest {
  const request: FuzzRequest = {
    method: "GET",
    target: query === "" ? "/client" : `/client?${query}`,
    version: "HTTP/1.1",
    headers: [
      ["Host", "hooks.test"],
      ["Connection", "close"],
      ["X-Forwarded-For", address],
    ],
    body: Buffer.alloc(0),
    framing: "length",
  };
  return authorization === undefined ? request : withHeader(request, "authorization", authorization);
}

/** Returns the request with the authentication that its source requires, computed for the current body. */
export function authenticate(random: Random, request: FuzzRequest): FuzzRequest {
  switch (sourceOf(request)) {
    case "github":
      return withHeader(request, "x-hub-signature-256", pick(random, SIGNATURES.github(request.body)));
    case "signed":
      return withHeader(request, "x-signature", pick(random, SIGNATURES.signed(request.body)));
    case "gitea":
      return withHeader(request, "x-gitea-signature", pick(random, SIGNATURES.gitea(request.body)));
    case "bitbucket":
      return withHeader(request, "x-hub-signature", pick(random, SIGNATURES.bitbucket(request.body)));
    case "bearer":
      return withHeader(request, "authorization", `Bearer ${KEYS.BEARER}`);
    default:
      return request;
  }
}

/** Returns the name of the source at the request target. */
function sourceOf({ target }: FuzzRequest): string {
  return target === "/github-webhook" ? "github" : target.slice(1);
}

/** Returns one of {@link MEMBER_ADDRESSES}. */
function memberAddress(random: Random): string {
  return `10.7.0.${random.below(MEMBERS)}`;
}

const MEMBERS = 64;

const TOKEN = encodeURIComponent(KEYS.TOKEN);

/** The addresses that are authorised at the source `client` when the run begins. */
export const MEMBER_ADDRESSES: readonly string[] = Array.from(
  { length: MEMBERS },
  (_, index) => `10.7.0.${index}`,
);

/** Returns the request from an unauthorised address. Half of the requests to the source `client` stay unchanged. */
export function useStrangerAddress(random: Random, request: FuzzRequest): FuzzRequest {
  if (sourceOf(request) === "client" && chance(random, 50)) return request;
  return withHeader(request, "x-forwarded-for", strangerAddress(random));
}

/** Returns an address that never sends a valid token. Eight of them repeat, so that the server throttles them. */
function strangerAddress(random: Random): string {
  return chance(random, 10)
    ? `192.0.2.${random.below(8)}`
    : `198.${random.below(256)}.${random.below(256)}.9`;
}

/** Returns random hex digits. */
export function hex(random: Random, digits: number): string {
  return Array.from({ length: digits }, () => random.below(16).toString(16)).join("");
}
