import { describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { isAcceptedMediaType } from "../../src/http/body.ts";
import { generic } from "../../src/providers/generic/index.ts";
import { GenericOptions } from "../../src/providers/generic/options.ts";
import ordinary from "../fixtures/github/push-ordinary.json";
import { DESTINATION } from "../support/request.ts";
import { loadSecret } from "./load-secret.ts";

const DAY = 86_400_000;
const handler = generic.createHandler({ verify_token: loadSecret("t0k3n") });

describe("generic source handler > verify", () => {
  const request = handler.compose(
    { kind: "ping", deliveryId: "1", form: false, repository: "octocat/blog" },
    DESTINATION,
  );
  const expiresAt = new Date("2026-11-22T20:30:00Z");
  const client = {
    source: "webhook",
    address: "192.0.2.1",
    authorisedAt: new Date("2026-11-21T20:30:00Z"),
    expiresAt,
  };

  test("rejects an unknown client with `not authorised`", () => {
    expect(handler.verify(request, null, expiresAt)).toEqual({
      kind: "refused",
      status: "not authorised",
      code: "client_unknown",
      isThrottled: false,
    });
  });

  test("accepts a client up to and including its expiry time", () => {
    expect(handler.verify(request, client, expiresAt)).toEqual({ kind: "verified" });
  });

  test("rejects a client one millisecond after its expiry with `authorisation timeout`", () => {
    const later = new Date(expiresAt.getTime() + 1);
    const rejection = {
      kind: "refused",
      status: "authorisation timeout",
      code: "client_expired",
      isThrottled: false,
    } as const;
    expect(handler.verify(request, client, later)).toEqual(rejection);
  });
});

describe("generic source handler > client_timeout", () => {
  test("defaults to one day", () => {
    expect(handler.handshake?.lifetime).toBe(DAY);
  });

  test("uses the configured duration", () => {
    const options = Value.Decode(GenericOptions, { verify_token: "env:TOKEN", client_timeout: "90m" });
    expect(generic.createHandler(options).handshake?.lifetime).toBe(90 * 60_000);
  });
});

describe("generic source handler > read", () => {
  const zero = "0".repeat(40);
  const readJson = (json: string) =>
    handler.parse({ headers: new Headers(), body: new TextEncoder().encode(json) });
  const { ref, before, after } = ordinary;
  const repository = { full_name: "octocat/blog" };
  const push = { kind: "push", repository: "octocat/blog", ref: { kind: "branch", name: "main" } };

  for (const [what, payload, event] of [
    [
      "a GitHub push",
      ordinary,
      { ...push, repository: "Codertocat/Hello-World", deleted: false, commit: after },
    ],
    [
      "a Gitea push, which has no `deleted` field",
      { ref, before, after, repository },
      { ...push, deleted: false, commit: after },
    ],
    ["a push without a commit", { ref, repository }, { ...push, deleted: false, commit: null }],
    [
      "a push whose `after` is not a commit",
      { ref, after: "HEAD", repository },
      { ...push, deleted: false, commit: null },
    ],
    [
      "a push with zeros in `after`",
      { ref, after: zero, repository },
      { ...push, deleted: true, commit: null },
    ],
    [
      "a push with `deleted`",
      { ref, after, deleted: true, repository },
      { ...push, deleted: true, commit: null },
    ],
    [
      "a push whose `deleted` is not a boolean",
      { ref, after, deleted: "yes", repository },
      { ...push, deleted: false, commit: after },
    ],
  ] as const) {
    test(`reads ${what} as a push`, () => {
      expect(readJson(JSON.stringify(payload))).toMatchObject({
        kind: "parsed",
        events: [event],
        identity: null,
      });
    });
  }

  test("reads a push whose before and after are zeros as the test of Gitea", () => {
    const payload = { ref, before: zero, after: zero, repository };
    expect(readJson(JSON.stringify(payload))).toMatchObject({ events: [{ kind: "push", unchanged: true }] });
  });

  test("reads a push whose before and after are the same commit as a push", () => {
    const payload = { ref, before: after, after, repository };
    expect(readJson(JSON.stringify(payload))).toMatchObject({
      events: [{ ...push, commit: after, unchanged: false }],
    });
  });

  test("ignores one byte order mark", () => {
    expect(readJson('\ufeff{"a":1}')).toMatchObject({ kind: "parsed", json: '{"a":1}' });
    expect(readJson('\ufeff\ufeff{"a":1}')).toMatchObject({ kind: "unreadable" });
  });

  test("accepts every type of JSON and no other", () => {
    const accepts = (type: string) => isAcceptedMediaType(type, handler.contentTypes);
    for (const type of [
      "application/json",
      "application/cloudevents+json; charset=utf-8",
      "application/vnd.docker.distribution.events.v2+JSON",
    ]) {
      expect(accepts(type)).toBe(true);
    }
    for (const type of ["application/+json", "text/x+json", "application/jsonp", "application/*+json2", ""]) {
      expect(accepts(type)).toBe(false);
    }
  });

  test("accepts the media types that `content_types` names, besides those of JSON", () => {
    const { contentTypes } = generic.createHandler({ content_types: ["text/plain"] });
    for (const [type, isAccepted] of [
      ["text/plain; charset=UTF-8", true],
      ["application/json", true],
      ["text/html", false],
    ] as const) {
      expect(isAcceptedMediaType(type, contentTypes)).toBe(isAccepted);
    }
  });

  for (const [what, payload] of [
    ["an object", { hello: "world" }],
    ["a list", [1, 2]],
    ["null", null],
    ["a number", 7],
    ["an object with a short ref", { ref: "main", repository }],
    ["an object with a two-line ref", { ref: "refs/heads/a\nb", repository }],
    ["an object with a ref and no repository", { ref }],
    ["an object whose repository is a string", { ref, repository: "octocat/blog" }],
    ["a list that contains a push", [{ ref, repository }]],
  ] as const) {
    test(`reads ${what} as a generic payload`, () => {
      const json = JSON.stringify(payload);
      const event = { kind: "other", name: "payload" } as const;
      expect(readJson(json)).toEqual({ kind: "parsed", events: [event], json, identity: null });
    });
  }
});
