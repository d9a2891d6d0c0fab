import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { gitlab } from "../../src/providers/gitlab/index.ts";
import { DESTINATION, post } from "../support/request.ts";
import { loadSecret } from "./load-secret.ts";

const PAYLOADS = join(import.meta.dir, "../fixtures/payloads/gitlab");
const TOKEN = "It's a Secret to Everybody";
const WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NOW = DESTINATION.now;
const withToken = gitlab.createHandler({ secrets: [loadSecret("another token"), loadSecret(TOKEN)] });
const signed = gitlab.createHandler({ secrets: [loadSecret(TOKEN)], signing_secrets: [loadSecret(WHSEC)] });
const read = (file: string) => readFileSync(join(PAYLOADS, file), "utf8");

function receive(event: string, body: string) {
  const request = post({ "x-gitlab-event": event, "x-gitlab-token": TOKEN, "idempotency-key": "k1" }, body);
  expect(withToken.verify(request, null, NOW)).toEqual({ kind: "verified" });
  return withToken.parse(request);
}

/** A request signed by the library of Standard Webhooks. */
function sign(body: string, { at = NOW, id = "f7f2", secret = WHSEC } = {}) {
  return post(
    {
      "x-gitlab-event": "Push Hook",
      "webhook-id": id,
      "webhook-timestamp": String(at.getTime() / 1000),
      "webhook-signature": new Webhook(secret).sign(id, at, body),
    },
    body,
  );
}

describe("GitLab source with a secret token", () => {
  test.each([
    ["missing", {}, "token_missing", false],
    ["empty", { "x-gitlab-token": "" }, "token_missing", false],
    ["wrong", { "x-gitlab-token": "another" }, "token_mismatch", true],
    ["repeated", { "x-gitlab-token": `${TOKEN}, ${TOKEN}` }, "token_mismatch", true],
    ["in another header", { authorization: `Bearer ${TOKEN}` }, "token_missing", false],
  ] as const)("refuses a token that is %s", (_, headers, code, isThrottled) => {
    const result = withToken.verify(post(headers, "{}"), null, NOW);
    expect(result).toEqual({ kind: "refused", status: "not authorised", code, isThrottled });
  });

  test.each([
    ["Push Hook", "push-event.json", "mike/diaspora", { kind: "branch", name: "master" }],
    ["Tag Push Hook", "tag-event.json", "jsmith/example", { kind: "tag", name: "v1.0.0" }],
    ["System Hook", "system-push-event.json", "mike/diaspora", { kind: "branch", name: "master" }],
    ["System Hook", "system-tag-event.json", "jsmith/example", { kind: "tag", name: "v1.0.0" }],
  ])("reads the %s of %s as a push", (event, file, repository, ref) => {
    const written = JSON.parse(read(file));
    expect(receive(event, read(file))).toMatchObject({
      kind: "parsed",
      events: [{ kind: "push", repository, ref, deleted: false, commit: written.checkout_sha, skip: false }],
      identity: { id: "k1", hook: null },
    });
  });

  test("reads every other payload as another event", () => {
    const kinds: Readonly<Record<string, string>> = {
      "pipeline-event.json": "ci",
      "release-event.json": "release",
    };
    for (const file of readdirSync(PAYLOADS).filter((name) => !/push|tag/.test(name))) {
      const result = receive("System Hook", read(file));
      expect(result).toMatchObject({ kind: "parsed", events: [{ kind: kinds[file] ?? "other" }] });
    }
  });

  test("reads a repository in nested groups, a deleted branch and a request to skip", () => {
    const push = JSON.parse(read("push-event.json"));
    const nested = { ...push, project: { path_with_namespace: "a/b/c/site" } };
    expect(receive("Push Hook", JSON.stringify(nested))).toMatchObject({
      events: [{ repository: "a/b/c/site" }],
    });
    const deleted = { ...push, after: "0".repeat(40), checkout_sha: null, commits: [] };
    expect(receive("Push Hook", JSON.stringify(deleted))).toMatchObject({
      events: [{ deleted: true, commit: null }],
    });
    const skipped = { ...push, commits: [{ id: push.after, message: "Fix [skip deploy]" }] };
    expect(receive("Push Hook", JSON.stringify(skipped))).toMatchObject({ events: [{ skip: true }] });
  });

  test.each([
    ["a push under the header of another event", "Pipeline Hook", "push-event.json"],
    ["another event under the header of a push", "Push Hook", "pipeline-event.json"],
    ["a tag under the header of a push", "Push Hook", "tag-event.json"],
  ])("rejects %s", (_, event, file) => {
    expect(receive(event, read(file))).toMatchObject({ kind: "unreadable", code: "unexpected_payload" });
  });

  test("names missing fields and never values", () => {
    const { project: _, ...push } = JSON.parse(read("push-event.json"));
    const result = receive("Push Hook", JSON.stringify({ ...push, ref: "s3cret" }));
    expect(result).toMatchObject({ kind: "unreadable", code: "unexpected_payload" });
    const reason = result.kind === "unreadable" ? result.reason : "";
    expect(reason).toContain("/ref");
    expect(reason).toContain("/project");
    expect(reason).not.toContain("s3cret");
  });
});

describe("GitLab source with a signing token", () => {
  const body = read("push-event.json");

  test("accepts a signature of the library of Standard Webhooks, and its id", () => {
    const request = sign(body);
    expect(signed.verify(request, null, NOW)).toEqual({ kind: "verified" });
    expect(signed.parse(request)).toMatchObject({ identity: { id: "f7f2" } });
  });

  test("refuses the token alone", () => {
    expect(signed.verify(post({ "x-gitlab-token": TOKEN }, body), null, NOW)).toMatchObject({
      kind: "refused",
      code: "signature_missing",
    });
  });

  test.each([
    ["of another secret", sign(body, { secret: `whsec_${"A".repeat(32)}` }), "signature_mismatch"],
    ["of another body", { ...sign(body), body: Buffer.from("{}") }, "signature_mismatch"],
    [
      "five minutes and a second old",
      sign(body, { at: new Date(NOW.getTime() - 301_000) }),
      "timestamp_too_old",
    ],
    [
      "five minutes and a second early",
      sign(body, { at: new Date(NOW.getTime() + 301_000) }),
      "timestamp_too_new",
    ],
  ])("refuses a signature %s", (_, request, code) => {
    expect(signed.verify(request, null, NOW)).toMatchObject({ kind: "refused", code });
  });

  test("signs composed requests so that the library verifies them", () => {
    const message = {
      kind: "payload",
      event: "push",
      deliveryId: "d1",
      form: false,
      json: Buffer.from(body),
    } as const;
    const now = new Date();
    const { headers } = signed.compose(message, { ...DESTINATION, now });
    expect(() => new Webhook(WHSEC).verify(body, Object.fromEntries(headers))).not.toThrow();
  });
});

test("GitLab's clone URL comes from base_url", () => {
  expect(gitlab.cloneUrl("a/b/site", {})).toBe("https://gitlab.com/a/b/site.git");
  expect(gitlab.cloneUrl("a/b/site", { base_url: "https://git.example.com/gitlab/" })).toBe(
    "https://git.example.com/gitlab/a/b/site.git",
  );
});
