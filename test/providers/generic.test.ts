import { describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { generic } from "../../src/providers/generic.ts";
import ordinary from "../fixtures/github/push-ordinary.json";
import { loadSecret } from "./load-secret.ts";

const DAY = 86_400_000;
const dialect = generic.open({ verify_token: loadSecret("t0k3n") });

describe("verify", () => {
  const request = dialect.compose({ kind: "ping", deliveryId: "1", form: false, repository: "octocat/blog" });
  const expiresAt = new Date("2026-11-22T20:30:00Z");
  const client = {
    source: "webhook",
    address: "192.0.2.1",
    authorisedAt: new Date("2026-11-21T20:30:00Z"),
    expiresAt,
  };

  test("refuses a stranger as not authorised", () => {
    expect(dialect.verify(request, null, expiresAt)).toEqual({
      ok: false,
      refusal: "not authorised",
      guess: false,
    });
  });

  test("lets a client in up to the very moment of its expiry", () => {
    expect(dialect.verify(request, client, expiresAt)).toEqual({ ok: true });
  });

  test("refuses a client a millisecond later as timed out", () => {
    const later = new Date(expiresAt.getTime() + 1);
    const refused = { ok: false, refusal: "authorisation timeout", guess: false } as const;
    expect(dialect.verify(request, client, later)).toEqual(refused);
  });
});

describe("client_timeout", () => {
  test("is a day when it is left out", () => {
    expect(dialect.handshake?.lifetime).toBe(DAY);
  });

  test("is what the configuration says", () => {
    const options = Value.Decode(generic.options, { verify_token: "env:TOKEN", client_timeout: "90m" });
    expect(generic.open(options).handshake?.lifetime).toBe(90 * 60_000);
  });
});

describe("read", () => {
  const zero = "0".repeat(40);
  const sent = (json: string) =>
    dialect.read({ headers: new Headers(), body: new TextEncoder().encode(json) });
  const { ref, before, after } = ordinary;
  const repository = { full_name: "octocat/blog" };
  const push = { kind: "push", repository: "octocat/blog", ref: { kind: "branch", name: "main" } };

  for (const [what, payload, event] of [
    [
      "GitHub's push",
      ordinary,
      { ...push, repository: "Codertocat/Hello-World", deleted: false, commit: after },
    ],
    [
      "Gitea's push, which has no deleted",
      { ref, before, after, repository },
      { ...push, deleted: false, commit: after },
    ],
    ["a push without a commit", { ref, repository }, { ...push, deleted: false, commit: null }],
    [
      "a push of a commit that is not one",
      { ref, after: "HEAD", repository },
      { ...push, deleted: false, commit: null },
    ],
    ["zeros in after", { ref, after: zero, repository }, { ...push, deleted: true, commit: null }],
    ["deleted", { ref, after, deleted: true, repository }, { ...push, deleted: true, commit: null }],
    [
      "a deleted that is not a boolean",
      { ref, after, deleted: "yes", repository },
      { ...push, deleted: false, commit: after },
    ],
  ] as const) {
    test(`takes ${what} for a push`, () => {
      expect(sent(JSON.stringify(payload))).toMatchObject({ ok: true, event, identity: null });
    });
  }

  for (const [what, payload] of [
    ["an object", { hello: "world" }],
    ["a list", [1, 2]],
    ["null", null],
    ["a number", 7],
    ["a short ref", { ref: "main", repository }],
    ["a ref of two lines", { ref: "refs/heads/a\nb", repository }],
    ["a ref without a repository", { ref }],
    ["a repository that is text", { ref, repository: "octocat/blog" }],
    ["a list that holds a push", [{ ref, repository }]],
  ] as const) {
    test(`takes ${what} for any payload`, () => {
      const json = JSON.stringify(payload);
      const event = { kind: "other", name: "payload" } as const;
      expect(sent(json)).toEqual({ ok: true, event, json, identity: null });
    });
  }
});
