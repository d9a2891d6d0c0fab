import { describe, expect, test } from "bun:test";
import { sign } from "@octokit/webhooks-methods";
import { github } from "../../src/providers/github.ts";
import ordinary from "../fixtures/github/push-ordinary.json";
import { dialect, GUID, NOW, receive, SECRET, send } from "./github/send.ts";
import { loadSecret } from "./load-secret.ts";

describe("a signature", () => {
  test("by SHA-1 in its own header never counts", async () => {
    const { headers, body } = await send("push", ordinary);
    headers.delete("x-hub-signature-256");
    headers.set("x-hub-signature", "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59");
    const refused = { ok: false, refusal: "signature verification failed", guess: false } as const;
    expect(dialect.verify({ headers, body }, null, NOW)).toEqual(refused);
    headers.set("x-hub-signature-256", "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59");
    expect(dialect.verify({ headers, body }, null, NOW)).toEqual(refused);
  });

  test("over the JSON in a form, as Gitea makes it, is refused", async () => {
    const { headers, body } = await send("push", ordinary, true);
    headers.set("x-hub-signature-256", await sign(SECRET, JSON.stringify(ordinary)));
    expect(dialect.verify({ headers, body }, null, NOW)).toMatchObject({ ok: false });
  });

  test("of a second secret counts while secrets are rotated", async () => {
    const rotating = github.open({ secrets: [loadSecret("the new secret"), loadSecret(SECRET)] });
    expect(rotating.verify(await send("push", ordinary), null, NOW)).toEqual({ ok: true });
  });
});

describe("headers", () => {
  for (const event of ["", "Push", "push ping", "push, ping", "../push", "p".repeat(101), "push;id"]) {
    test(`that name the event ${JSON.stringify(event)} make it undecodable`, async () => {
      const { headers, body } = await send("push", ordinary);
      headers.set("x-github-event", event);
      const reason = "the header x-github-event does not name an event";
      expect(dialect.read({ headers, body })).toEqual({ ok: false, kind: "undecodable", reason });
    });
  }

  test("without an event make it undecodable", async () => {
    const { headers, body } = await send("push", ordinary);
    headers.delete("x-github-event");
    expect(dialect.read({ headers, body })).toMatchObject({ ok: false, kind: "undecodable" });
  });

  for (const id of ["", "a b", `${GUID}, ${GUID}`, "é", "x".repeat(129)]) {
    test(`with the delivery id ${JSON.stringify(id.slice(0, 80))} make it undecodable`, async () => {
      const { headers, body } = await send("push", ordinary);
      headers.set("x-github-delivery", id);
      const reason = "the header x-github-delivery is not an id";
      expect(dialect.read({ headers, body })).toEqual({ ok: false, kind: "undecodable", reason });
    });
  }

  test("without a delivery id leave it null", async () => {
    const { headers, body } = await send("push", ordinary);
    headers.delete("x-github-delivery");
    expect(dialect.read({ headers, body })).toMatchObject({ ok: true, identity: { id: null } });
  });

  test("with parameters on the content type are read the same", async () => {
    const { headers, body } = await send("push", ordinary, true);
    headers.set("content-type", "Application/X-WWW-Form-URLencoded; charset=utf-8");
    expect(dialect.read({ headers, body })).toMatchObject({ ok: true, event: { kind: "push" } });
  });
});

describe("a signed JSON body with a form in one of its texts", () => {
  const hidden = `a&payload=${encodeURIComponent(JSON.stringify(ordinary))}&b`;

  test("is not read as that form's push when its headers are swapped, which nobody signed", async () => {
    const { headers, body } = await send("issues", { action: "opened", issue: { title: hidden } });
    headers.set("content-type", "application/x-www-form-urlencoded");
    headers.set("x-github-event", "push");
    expect(dialect.verify({ headers, body }, null, NOW)).toEqual({ ok: true });
    const reason = "the form does not begin with the field payload";
    expect(dialect.read({ headers, body })).toEqual({ ok: false, kind: "undecodable", reason });
  });

  test("is what it is as it was sent", async () => {
    const reading = await receive("issues", { action: "opened", issue: { title: hidden } });
    expect(reading).toMatchObject({ ok: true, event: { kind: "other", name: "issues" } });
  });
});

describe("the clone URL", () => {
  test("comes from the configured name, and nothing of a payload's own URLs is in the event", async () => {
    expect(github.cloneUrl("octocat/blog")).toBe("https://github.com/octocat/blog.git");
    const repository = {
      ...ordinary.repository,
      clone_url: "https://evil.example/x.git",
      ssh_url: "ext::sh -c id",
    };
    const reading = await receive("push", { ...ordinary, repository });
    if (!reading.ok) throw new Error(reading.reason);
    expect(reading.event).toEqual({
      kind: "push",
      repository: ordinary.repository.full_name,
      ref: { kind: "branch", name: "main" },
      deleted: false,
      commit: ordinary.after,
      skip: false,
    });
  });
});
