import { describe, expect, test } from "bun:test";
import ordinary from "../../fixtures/github/push-ordinary.json";
import { receive } from "./send.ts";

describe("a misshapen push is refused with the names of its fields", () => {
  const { after: _, ...withoutAfter } = ordinary;
  const { full_name: __, ...nameless } = ordinary.repository;
  for (const [payload, reason] of [
    [withoutAfter, "push: /after is missing"],
    [{ ...ordinary, after: 7 }, "push: /after expected 40 or 64 lower-case hex digits"],
    [{ ...ordinary, after: "s3cret" }, "push: /after expected 40 or 64 lower-case hex digits"],
    [
      { ...ordinary, after: ordinary.after.toUpperCase() },
      "push: /after expected 40 or 64 lower-case hex digits",
    ],
    [{ ...ordinary, before: "a".repeat(41) }, "push: /before expected 40 or 64 lower-case hex digits"],
    [{ ...ordinary, ref: "main" }, "push: /ref expected a full ref name"],
    [{ ...ordinary, ref: "refs/" }, "push: /ref expected a full ref name"],
    [{ ...ordinary, ref: "refs/heads/a\nb" }, "push: /ref expected a full ref name"],
    [{ ...ordinary, ref: "refs/heads/a\u0000" }, "push: /ref expected a full ref name"],
    [{ ...ordinary, ref: "refs/heads/\ud800" }, "push: /ref expected a full ref name"],
    [{ ...ordinary, ref: null }, "push: /ref expected a full ref name"],
    [{ ...ordinary, deleted: "true" }, "push: /deleted expected boolean"],
    [{ ...ordinary, commits: null }, "push: /commits expected array"],
    [{ ...ordinary, commits: [{ id: 7 }] }, "push: /commits/0/id expected string"],
    [{ ...ordinary, head_commit: { id: "HEAD" } }, "push: /head_commit expected a commit or null"],
    [{ ...ordinary, repository: nameless }, "push: /repository/full_name is missing"],
    [
      { ...ordinary, repository: { ...nameless, full_name: ["s3cret"] } },
      "push: /repository/full_name expected string",
    ],
    [{ ...ordinary, repository: "s3cret" }, "push: /repository expected object"],
    [{ ...ordinary, pusher: {} }, "push: /pusher/name is missing"],
    [{ ...withoutAfter, deleted: 1 }, "push: /after is missing, /deleted expected boolean"],
    [
      { s3cret: 1 },
      "push: /ref is missing, /before is missing, /after is missing, /created is missing, /deleted is missing",
    ],
    [[], "push: the payload expected object"],
    [null, "push: the payload expected object"],
    ["refs/heads/main", "push: the payload expected object"],
  ] as const) {
    test(reason, async () => {
      const json = JSON.stringify(payload);
      for (const form of [false, true]) {
        expect(await receive("push", json, form)).toEqual({ ok: false, kind: "misshapen", reason });
      }
    });
  }

  test("and its own __proto__ does not stand in for what is missing", async () => {
    const json = `{"__proto__":${JSON.stringify(ordinary)}}`;
    expect(await receive("push", json)).toMatchObject({ ok: false, kind: "misshapen" });
  });
});

describe("a ping", () => {
  test("of an App or organisation, without a repository or a sender, is accepted", async () => {
    const ping = { zen: "Hello World", hook_id: 1, hook: { type: "App", id: 1, events: ["*"] } };
    expect(await receive("ping", ping)).toMatchObject({ ok: true, event: { kind: "ping" } });
  });

  for (const ping of [{ zen: "" }, { hook_id: 1 }, { hook: {} }]) {
    test(`with ${Object.keys(ping)} alone is accepted`, async () => {
      expect(await receive("ping", ping)).toMatchObject({ ok: true, event: { kind: "ping" } });
    });
  }

  for (const [payload, reason] of [
    [{}, "ping: /zen, /hook_id and /hook are missing"],
    [{ state: "success", sha: ordinary.after }, "ping: /zen, /hook_id and /hook are missing"],
    [{ zen: 7 }, "ping: /zen expected string"],
    [{ hook: { events: "push" } }, "ping: /hook/events expected array"],
    [[], "ping: the payload expected object"],
    [ordinary, "ping: /ref, /before and /after belong to a push"],
    [{ action: "opened", zen: "" }, "ping: /action belongs to another event"],
  ] as const) {
    test(`is refused: ${reason}`, async () => {
      expect(await receive("ping", payload)).toEqual({ ok: false, kind: "misshapen", reason });
    });
  }
});

describe("another event", () => {
  for (const [payload, reason] of [
    [ordinary, "issues: /ref, /before and /after belong to a push"],
    [{ zen: "", hook_id: 1, hook: {} }, "issues: /zen, /hook_id and /hook belong to a ping"],
    [[], "issues: the payload expected object"],
    [7, "issues: the payload expected object"],
  ] as const) {
    test(`is refused: ${reason}`, async () => {
      expect(await receive("issues", payload)).toEqual({ ok: false, kind: "misshapen", reason });
    });
  }
});
