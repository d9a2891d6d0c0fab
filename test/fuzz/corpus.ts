import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import definitions from "@octokit/webhooks-examples";
import { pingBody, pushBody } from "../support/payloads.ts";
import type { Random } from "../support/random.ts";
import { KEYS, SIGNATURES } from "./keys.ts";
import { type FuzzRequest, withHeader } from "./request.ts";

const FIXTURES = join(import.meta.dir, "../fixtures/github");

interface Example {
  readonly event: string;
  readonly json: string;
}

/** Real payloads: the ones that GitHub publishes, and our own of what is missing there. */
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

/** Those that mean something, which are as many here as all others. */
const TOLD: readonly Example[] = [
  { event: "push", json: pushBody() },
  { event: "ping", json: pingBody() },
  ...EXAMPLES.filter(({ event }) => event === "push" || event === "ping"),
];

/** One of the list, which must not be empty. */
export function pick<T>(random: Random, list: readonly T[]): T {
  const found = list[random.below(list.length)];
  if (found === undefined) throw new Error("there is nothing to pick from");
  return found;
}

/** True in so many of a hundred cases. */
export function chance(random: Random, percent: number): boolean {
  return random.below(100) < percent;
}

/** A request that is right in everything, but not signed yet; it comes from an address that shows right tokens. */
export function composeRequest(random: Random): FuzzRequest {
  const { event, json } = pick(random, chance(random, 50) ? TOLD : EXAMPLES);
  // A body that came before is a duplicate, which is worth a try, but not always.
  const nonce = chance(random, 80) ? `,"nonce":"${hex(random, 16)}"}` : "}";
  const text = json.trimEnd().slice(0, -1) + nonce;
  const framing = chance(random, 70) ? "length" : 1 + random.below(8192);
  const source = pick(random, ["github", "github", "github", "client", "bearer", "signed"]);
  const isForm = source === "github" && chance(random, 40);
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
      ["X-GitHub-Event", event],
      ["X-GitHub-Delivery", `${hex(random, 8)}-${hex(random, 4)}-${hex(random, 12)}`],
      ["X-GitHub-Hook-Id", String(1 + random.below(3))],
    ],
    body: Buffer.from(isForm ? `payload=${encodeURIComponent(text)}` : text),
    framing,
  };
}

/** A GET that admits its address to the source of clients. */
export function composeHandshake(random: Random): FuzzRequest {
  return greet(
    memberAddress(random),
    pick(random, [
      [`verify_token=${TOKEN}`],
      [`hub.mode=subscribe&hub.challenge=${hex(random, 8)}&hub.verify_token=${TOKEN}`],
      ["", `Bearer ${KEYS.TOKEN}`],
      ["a=b", `bearer ${KEYS.TOKEN}`],
    ]),
  );
}

/** A GET that is near to the right one, or shows the right token in a wrong way: it must not be admitted. */
export function composeGuess(random: Random): FuzzRequest {
  const at = random.below(KEYS.TOKEN.length);
  const guess = encodeURIComponent(`${KEYS.TOKEN.slice(0, at)}~${KEYS.TOKEN.slice(at + random.below(2))}`);
  return greet(
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

function greet(address: string, [query = "", authorization]: readonly string[]): FuzzRequest {
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

/** The request with what its source wants to see, made for the body that it has now. */
export function prove(random: Random, request: FuzzRequest): FuzzRequest {
  switch (sourceOf(request)) {
    case "github":
      return withHeader(request, "x-hub-signature-256", pick(random, SIGNATURES.github(request.body)));
    case "signed":
      return withHeader(request, "x-signature", pick(random, SIGNATURES.signed(request.body)));
    case "bearer":
      return withHeader(request, "authorization", `Bearer ${KEYS.BEARER}`);
    default:
      return request;
  }
}

/** The name of the source that the target leads to. */
function sourceOf({ target }: FuzzRequest): string {
  return target === "/github-webhook" ? "github" : target.slice(1);
}

/** One of the few that are admitted when the run begins. */
function memberAddress(random: Random): string {
  return `10.7.0.${random.below(MEMBERS)}`;
}

const MEMBERS = 64;

const TOKEN = encodeURIComponent(KEYS.TOKEN);

/** All of them, to be admitted. */
export const MEMBER_ADDRESSES: readonly string[] = Array.from(
  { length: MEMBERS },
  (_, index) => `10.7.0.${index}`,
);

/** The same request from somebody else; of the clients' own source it stays one of theirs every other time. */
export function estrange(random: Random, request: FuzzRequest): FuzzRequest {
  if (sourceOf(request) === "client" && chance(random, 50)) return request;
  return withHeader(request, "x-forwarded-for", strangerAddress(random));
}

/** An address that never shows a right token: a few come so often that they are shut out for guessing. */
function strangerAddress(random: Random): string {
  return chance(random, 10)
    ? `192.0.2.${random.below(8)}`
    : `198.${random.below(256)}.${random.below(256)}.9`;
}

/** So many hex digits. */
export function hex(random: Random, digits: number): string {
  return Array.from({ length: digits }, () => random.below(16).toString(16)).join("");
}
