import { describe, expect, test } from "bun:test";
import { sign } from "@octokit/webhooks-methods";
import { github } from "../../src/providers/github/index.ts";
import ordinary from "../fixtures/github/push-ordinary.json";
import { post } from "../support/request.ts";
import { GUID, handler, NOW, receive, SECRET, send } from "./github/send.ts";
import { loadSecret } from "./load-secret.ts";
import { reasonOf } from "./reason-of.ts";

describe("GitHub source handler > verify", () => {
  test("rejects a SHA-1 signature in either header", async () => {
    const { headers, body } = await send("push", ordinary);
    headers.delete("x-hub-signature-256");
    headers.set("x-hub-signature", "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59");
    const rejection = {
      kind: "refused",
      status: "signature verification failed",
      isThrottled: false,
    } as const;
    expect(handler.verify(post(headers, body), null, NOW)).toEqual({
      ...rejection,
      code: "signature_missing",
    });
    headers.set("x-hub-signature-256", "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59");
    expect(handler.verify(post(headers, body), null, NOW)).toEqual({
      ...rejection,
      code: "signature_mismatch",
    });
  });

  test("rejects a form whose signature covers only the JSON, as Gitea computes it", async () => {
    const { headers, body } = await send("push", ordinary, true);
    headers.set("x-hub-signature-256", await sign(SECRET, JSON.stringify(ordinary)));
    expect(handler.verify(post(headers, body), null, NOW)).toMatchObject({
      kind: "refused",
      code: "signature_mismatch",
    });
  });

  test("accepts a signature made with any configured secret during rotation", async () => {
    const rotating = github.createHandler({ secrets: [loadSecret("the new secret"), loadSecret(SECRET)] });
    expect(rotating.verify(await send("push", ordinary), null, NOW)).toEqual({ kind: "verified" });
  });
});

describe("GitHub source handler > read", () => {
  for (const [what, event] of [
    ["an empty event name", ""],
    ["an event name in upper case", "Push"],
    ["an event name with a space", "push ping"],
    ["two event names", "push, ping"],
    ["an event name with a path", "../push"],
    ["an event name of 101 characters", "p".repeat(101)],
    ["an event name with a semicolon", "push;id"],
  ] as const) {
    test(`rejects ${what} as invalid`, async () => {
      const { headers, body } = await send("push", ordinary);
      headers.set("x-github-event", event);
      const result = handler.parse({ headers, body });
      expect(result).toMatchObject({ kind: "unreadable", code: "invalid_payload" });
      const reason = reasonOf(result);
      expect(reason).toContain("x-github-event");
      expect(reason).toMatchSnapshot();
    });
  }

  test("rejects a delivery without an event name as invalid", async () => {
    const { headers, body } = await send("push", ordinary);
    headers.delete("x-github-event");
    expect(handler.parse({ headers, body })).toMatchObject({ kind: "unreadable", code: "invalid_payload" });
  });

  for (const [what, id] of [
    ["an empty delivery id", ""],
    ["a delivery id with a space", "a b"],
    ["two delivery ids", `${GUID}, ${GUID}`],
    ["a delivery id that is not ASCII", "é"],
    ["a delivery id of 129 characters", "x".repeat(129)],
  ] as const) {
    test(`rejects ${what} as invalid`, async () => {
      const { headers, body } = await send("push", ordinary);
      headers.set("x-github-delivery", id);
      const result = handler.parse({ headers, body });
      expect(result).toMatchObject({ kind: "unreadable", code: "invalid_payload" });
      const reason = reasonOf(result);
      expect(reason).toContain("x-github-delivery");
      expect(reason).toMatchSnapshot();
    });
  }

  test("returns a null id for a delivery without an id header", async () => {
    const { headers, body } = await send("push", ordinary);
    headers.delete("x-github-delivery");
    expect(handler.parse({ headers, body })).toMatchObject({ kind: "parsed", identity: { id: null } });
  });

  test("ignores content type parameters", async () => {
    const { headers, body } = await send("push", ordinary, true);
    headers.set("content-type", "Application/X-WWW-Form-URLencoded; charset=utf-8");
    expect(handler.parse({ headers, body })).toMatchObject({ kind: "parsed", events: [{ kind: "push" }] });
  });
});

describe("GitHub source handler > signed JSON that contains a form in a string", () => {
  const hidden = `a&payload=${encodeURIComponent(JSON.stringify(ordinary))}&b`;

  test("is not read as a push when its unsigned headers are changed", async () => {
    const { headers, body } = await send("issues", { action: "opened", issue: { title: hidden } });
    headers.set("content-type", "application/x-www-form-urlencoded");
    headers.set("x-github-event", "push");
    expect(handler.verify(post(headers, body), null, NOW)).toEqual({ kind: "verified" });
    const result = handler.parse({ headers, body });
    expect(result).toMatchObject({ kind: "unreadable", code: "invalid_payload" });
    expect(reasonOf(result)).toMatchSnapshot();
  });

  test("has the action and the repository of its payload, where they are texts", async () => {
    const repository = { full_name: "octocat/blog" };
    const published = await receive("release", { action: "published", repository });
    expect(published).toMatchObject({
      events: [{ kind: "release", name: "release", action: "published", repository: "octocat/blog" }],
    });
    for (const payload of [
      {},
      { action: 1, repository: null },
      { action: {}, repository: { full_name: [] } },
    ]) {
      const result = await receive("release", payload);
      expect(result.kind === "parsed" && result.events).toEqual([{ kind: "other", name: "release" }]);
    }
  });

  test("is read as the original event when its headers are unchanged", async () => {
    const result = await receive("issues", { action: "opened", issue: { title: hidden } });
    expect(result).toMatchObject({ kind: "parsed", events: [{ kind: "other", name: "issues" }] });
  });
});

describe("GitHub source handler > clone URL", () => {
  test("is built from the configured repository name, not from URLs in the payload", async () => {
    expect(github.cloneUrl("octocat/blog", {})).toBe("https://github.com/octocat/blog.git");
    const repository = {
      ...ordinary.repository,
      clone_url: "https://evil.example/x.git",
      ssh_url: "ext::sh -c id",
    };
    const result = await receive("push", { ...ordinary, repository });
    expect(result.kind === "parsed" && result.events).toEqual([
      {
        kind: "push",
        repository: ordinary.repository.full_name,
        ref: { kind: "branch", name: "main" },
        deleted: false,
        commit: ordinary.after,
        skip: false,
        unchanged: false,
      },
    ]);
  });
});
