import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import type { Event } from "../../../src/domain/event.ts";
import { matchTarget } from "../../../src/domain/match.ts";
import type { SourceHandler } from "../../../src/domain/provider.ts";
import { generic } from "../../../src/providers/generic/index.ts";
import { pingBody, pushBody } from "../../support/payloads.ts";
import { targetOf } from "../../support/target.ts";
import { loadSecret } from "../load-secret.ts";
import { GUID, handler as github } from "./send.ts";

setDefaultTimeout(120_000);

/** Text that must not appear in any message. */
const MARK = "x-marks-the-spot";

const ref = fc.oneof(
  fc.constantFrom(
    "refs/heads/main",
    "refs/tags/v1",
    "refs/heads/refs/heads/main",
    "refs/",
    "main",
    "refs/heads/main\n",
  ),
  fc.string({ unit: "binary" }).map((name) => `refs/heads/${name}`),
  fc.string({ unit: "binary" }),
);
const commit = fc.oneof(
  fc.constantFrom("0".repeat(40), "0".repeat(64), "0".repeat(41), "A".repeat(40)),
  fc.stringMatching(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/),
);
const anything = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom(MARK, [MARK], { [MARK]: MARK }, { id: MARK }, { login: MARK }, null),
);
/** A change to one field, relevant or not. */
const change = fc.oneof(
  fc.tuple(fc.constant("ref"), fc.oneof(ref, anything)),
  fc.tuple(fc.constantFrom("before", "after"), fc.oneof(commit, anything)),
  fc.tuple(fc.constantFrom("created", "deleted", "forced"), fc.oneof(fc.boolean(), anything)),
  fc.tuple(
    fc.constantFrom(
      "base_ref",
      "compare",
      "commits",
      "head_commit",
      "repository",
      "pusher",
      "sender",
      "zen",
      "hook",
      "hook_id",
      "action",
      "__proto__",
      "constructor",
      "new",
    ),
    anything,
  ),
  fc.tuple(
    fc.constant("head_commit"),
    fc.record({ id: commit, message: fc.constantFrom("a", "[Skip deploy]") }),
  ),
  fc.tuple(
    fc.constant("repository"),
    fc.record({ full_name: fc.constantFrom("octocat/blog", "OCTOCAT/Blog", "../..", "") }),
  ),
);

/** Adds changes to the text of a JSON object. Keys can repeat, and `__proto__` is an ordinary key. */
function changed(json: string, changes: readonly (readonly [string, unknown])[]): string {
  const added = changes.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  return `${json.slice(0, -1)}${added.map((pair) => `,${pair}`).join("")}}`;
}

const payload = fc.oneof(
  fc.json(),
  fc
    .tuple(fc.constantFrom(pushBody(), pingBody(), '{"a":1}'), fc.array(change, { maxLength: 4 }))
    .map(([json, changes]) => changed(json, changes)),
);
const eventName = fc.constantFrom("push", "ping", "issues", "PUSH", "", "push, ping");

function read(handler: SourceHandler, name: string, json: string) {
  const headers = new Headers({
    "content-type": "application/json",
    "x-github-event": name,
    "x-github-delivery": GUID,
  });
  return handler.parse({ headers, body: new TextEncoder().encode(json) });
}

/** Asserts that an accepted push agrees with its payload, without using the code under test. */
function expectPush(push: Extract<Event, { kind: "push" }>, written: Record<string, unknown>): void {
  const full = String(written.ref);
  expect(full).toStartWith("refs/");
  expect(full.isWellFormed()).toBe(true);
  for (const character of full) expect(character.codePointAt(0)).toSatisfy(isNoControl);
  const prefix = { branch: "refs/heads/", tag: "refs/tags/", other: "" }[push.ref.kind];
  expect(prefix + push.ref.name).toBe(full);
  expect(push.repository).toBe((written.repository as { full_name: string }).full_name);
  if (push.commit !== null) expect(push.commit).toMatch(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/);
  const isZero = /^(?:0{40}|0{64})$/.test(String(written.after));
  // A push from zeros to zeros is the test of a webhook.
  const isTest = isZero && written.before === written.after;
  expect(push.deleted).toBe(!isTest && (written.deleted === true || isZero));
  if (push.deleted) expect(push.commit).toBeNull();
}

const isNoControl = (code: unknown) =>
  typeof code === "number" && code > 0x1f && (code < 0x7f || code > 0x9f);

describe("GitHub source handler with any JSON", () => {
  test("never throws and returns an event that agrees with the payload", () => {
    fc.assert(
      fc.property(eventName, payload, (name, json) => {
        const result = read(github, name, json);
        if (result.kind !== "parsed") return;
        const [event] = result.events;
        const written: unknown = JSON.parse(json);
        expect(result.json).toBe(json);
        expect(result.identity).toEqual({ id: GUID, hook: null });
        expect(event.kind).toBe(name === "push" || name === "ping" ? name : "other");
        if (event.kind === "push") expectPush(event, written as Record<string, unknown>);
        if (event.kind === "other") expect(event.name).toBe(name);
      }),
      { numRuns: 2000 },
    );
  });

  test("rejects a payload without repeating its values", () => {
    fc.assert(
      fc.property(eventName, payload, (name, json) => {
        const result = read(github, name, json);
        if (result.kind === "unreadable") expect(result.reason).not.toContain(MARK);
      }),
      { numRuns: 1000 },
    );
  });

  test("deploys a target only for a push to its branch of its repository", () => {
    fc.assert(
      fc.property(payload, (json) => {
        const result = read(github, "push", json);
        if (result.kind !== "parsed") return;
        const written = JSON.parse(json);
        const match = matchTarget(result.events, targetOf("blog"));
        const isDeployed =
          written.ref === "refs/heads/main" &&
          written.repository.full_name.toLowerCase() === "octocat/blog" &&
          written.deleted === false &&
          !/^0+$/.test(written.after) &&
          !/\[skip deploy\]/i.test(written.head_commit?.message ?? "");
        expect(match?.decision.deploy).toBe(isDeployed);
        expect(match?.decision.reason ?? "").not.toMatch(/\p{Cc}/u);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("generic source handler with any JSON", () => {
  const handler = generic.createHandlerWithSecret(loadSecret("a token of the tests, long enough"));

  test("accepts every payload and reads it as a push only when it has a ref and a repository", () => {
    fc.assert(
      fc.property(payload, (json) => {
        const result = read(handler, "", json);
        expect(result).toMatchObject({ kind: "parsed", json });
        const [event] = result.kind === "parsed" ? result.events : [];
        if (event?.kind === "push") expectPush(event, JSON.parse(json));
      }),
      { numRuns: 1000 },
    );
  });
});
