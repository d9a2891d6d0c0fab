import { describe, expect, test } from "bun:test";
import { chooseStatus, selectHeaders } from "../../src/domain/delivery.ts";
import type { Event } from "../../src/domain/event.ts";
import type { Source } from "../../src/domain/source.ts";
import { generic } from "../../src/providers/generic/index.ts";
import { github } from "../../src/providers/github/index.ts";
import { providers } from "../../src/providers/index.ts";

const SECRETS = {
  authorization: "Bearer s3cret",
  cookie: "session=s3cret",
  "x-hub-signature": "sha1=s3cret",
  "x-hub-signature-256": "sha256=s3cret",
  "x-github-encoded-secret": "czNjcmV0",
  "x-github-unheard-of": "s3cret",
};

describe("selectHeaders", () => {
  test("selects only the named headers, case-insensitively", () => {
    const headers = new Headers({
      ...SECRETS,
      "Content-Type": "application/json",
      "User-Agent": "GitHub-Hookshot/044aadd",
      "X-Request-Id": "1",
      "X-GitHub-Event": "push",
      "X-GitHub-Hook-ID": "2",
    });
    expect(selectHeaders(headers, ["x-github-event", "x-github-hook-id", "x-github-delivery"], [])).toEqual({
      "content-type": "application/json",
      "user-agent": "GitHub-Hookshot/044aadd",
      "x-request-id": "1",
      "x-github-event": "push",
      "x-github-hook-id": "2",
    });
  });

  test("selects no secret of any provider", () => {
    for (const provider of providers) {
      expect(selectHeaders(new Headers(SECRETS), provider.createHandler({}).storedHeaders, [])).toEqual({});
    }
  });

  test("truncates values to 1024 characters", () => {
    const headers = selectHeaders(new Headers({ "user-agent": "x".repeat(5000) }), [], []);
    expect(headers).toEqual({ "user-agent": "x".repeat(1024) });
  });
});

test("selectHeaders omits credentials that a list of headers names, also those that are stored by default", () => {
  const headers = new Headers({ "user-agent": "t0k3n", "x-tenant": "a", "x-shop": "t0k3n" });
  expect(selectHeaders(headers, ["x-tenant", "x-shop"], ["user-agent", "x-shop"])).toEqual({
    "x-tenant": "a",
  });
});

describe("chooseStatus", () => {
  const common = {
    name: "hook",
    path: "/hook",
    keepHeaders: [],
    answer: { kind: "receipt" },
    print: false,
    onRedelivery: "run",
    allow: null,
  } as const;
  const signed: Source = { ...common, provider: "github", handler: github.createHandler({}) };
  const authorising: Source = { ...common, provider: "generic", handler: generic.createHandler({}) };
  const ping: Event = { kind: "ping" };
  const other: Event = { kind: "other", name: "issues" };

  const deploys = { deploy: true, code: null } as const;
  const locked = { deploy: false, code: "locked" } as const;
  const skipped = { deploy: false, code: "branch" } as const;

  test("returns pong for a signed ping, ok when a target deploys, and skipped otherwise", () => {
    expect(chooseStatus(signed, ping, [])).toBe("pong");
    expect(chooseStatus(signed, other, [skipped, deploys])).toBe("ok");
    expect(chooseStatus(signed, other, [skipped])).toBe("skipped");
    expect(chooseStatus(signed, other, [])).toBe("skipped");
  });

  test("returns held when a lock is what prevents every deployment", () => {
    expect(chooseStatus(signed, other, [skipped, locked])).toBe("held");
    expect(chooseStatus(signed, other, [deploys, locked])).toBe("ok");
  });

  test("returns success for every event of a source whose provider answers success", () => {
    for (const event of [ping, other]) expect(chooseStatus(authorising, event, [locked])).toBe("success");
  });
});
