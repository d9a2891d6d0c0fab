import { describe, expect, test } from "bun:test";
import { sign } from "@octokit/webhooks-methods";
import { github } from "../../../src/providers/github.ts";
import ordinary from "../../fixtures/github/push-ordinary.json";
import { dialect, GUID, SECRET } from "./send.ts";

describe("compose", () => {
  const shape = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null) return value === null ? "null" : typeof value;
    return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, shape(child)]));
  };
  const composed = dialect.compose({
    kind: "push",
    deliveryId: GUID,
    form: false,
    repository: ordinary.repository.full_name,
    ref: ordinary.ref,
    before: ordinary.before,
    after: ordinary.after,
  });

  test("writes a push with every field that a real one has", () => {
    const written: Record<string, unknown> = JSON.parse(new TextDecoder().decode(composed.body));
    expect(Object.keys(written).sort()).toEqual(Object.keys(ordinary).sort());
    for (const field of ["repository", "sender", "pusher", "head_commit"] as const) {
      expect(Object.keys(Object(written[field]))).toEqual(
        expect.arrayContaining(Object.keys(ordinary[field])),
      );
    }
    const { created_at, pushed_at, clone_url } = Object(written.repository);
    expect(shape({ created_at, pushed_at })).toEqual({ created_at: "number", pushed_at: "number" });
    expect(clone_url).toBe(ordinary.repository.clone_url);
  });

  test("sends the headers that GitHub sends", () => {
    expect(Object.fromEntries(composed.headers)).toMatchObject({
      "content-type": "application/json",
      "user-agent": "GitHub-Hookshot/hooklatch",
      "x-github-event": "push",
      "x-github-delivery": GUID,
      "x-github-hook-id": expect.stringMatching(/^\d+$/),
      "x-github-hook-installation-target-id": expect.stringMatching(/^\d+$/),
      "x-github-hook-installation-target-type": "repository",
    });
  });

  test("signs with the first secret as an independent signer does", async () => {
    const body = new TextDecoder().decode(composed.body);
    expect(composed.headers.get("x-hub-signature-256")).toBe(await sign(SECRET, body));
  });

  test("throws a fault when there is no secret to sign with", () => {
    expect(() =>
      github.open({}).compose({ kind: "ping", deliveryId: "1", form: false, repository: "octocat/blog" }),
    ).toThrow("cannot sign");
  });
});
