import { describe, expect, test } from "bun:test";
import { sign } from "@octokit/webhooks-methods";
import { AppError } from "../../../src/lib/errors.ts";
import { github } from "../../../src/providers/github/index.ts";
import ordinary from "../../fixtures/github/push-ordinary.json";
import { DESTINATION } from "../../support/request.ts";
import { catchError } from "../catch-error.ts";
import { GUID, handler, SECRET } from "./send.ts";

describe("GitHub source handler > compose", () => {
  const shape = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null) return value === null ? "null" : typeof value;
    return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, shape(child)]));
  };
  const composed = handler.compose(
    {
      kind: "push",
      deliveryId: GUID,
      form: false,
      repository: ordinary.repository.full_name,
      ref: ordinary.ref,
      before: ordinary.before,
      after: ordinary.after,
    },
    DESTINATION,
  );

  test("writes a push with every field of a real GitHub push", () => {
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

  test("sets the headers that GitHub sends", () => {
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

  test("signs with the first secret", async () => {
    const body = new TextDecoder().decode(composed.body);
    expect(composed.headers.get("x-hub-signature-256")).toBe(await sign(SECRET, body));
  });

  test("throws when no secret is configured", async () => {
    const ping = { kind: "ping", deliveryId: "1", form: false, repository: "octocat/blog" } as const;
    const error = await catchError(() => github.createHandler({}).compose(ping, DESTINATION));
    expect(error).toBeInstanceOf(AppError);
    expect(error.message).toMatchSnapshot();
  });
});
