import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { bitbucket } from "../../src/providers/bitbucket/index.ts";
import { DESTINATION, post } from "../support/request.ts";
import { loadSecret } from "./load-secret.ts";

const PAYLOADS = join(import.meta.dir, "../fixtures/payloads");
const SECRET = "It's a Secret to Everybody";
const handler = bitbucket.createHandler({ secrets: [loadSecret("an older secret"), loadSecret(SECRET)] });
const read = (file: string) => readFileSync(join(PAYLOADS, file), "utf8");
const sign = (text: string, algorithm = "sha256") =>
  `${algorithm}=${createHmac(algorithm, SECRET).update(text).digest("hex")}`;

function receive(event: string, body: string) {
  const request = post({ "x-event-key": event, "x-request-uuid": "r1", "x-hub-signature": sign(body) }, body);
  expect(handler.verify(request, null, DESTINATION.now)).toEqual({ kind: "verified" });
  return handler.parse(request);
}

const HASH = "a".repeat(40);
const side = (name: string, type = "branch") => ({ type, name, target: { hash: HASH } });
const change = (old: object | null, tip: object | null) => ({ old, new: tip });
const cloud = (...changes: object[]) =>
  JSON.stringify({ repository: { full_name: "team/site" }, push: { changes } });

describe("Bitbucket source", () => {
  test("reads the push of Bitbucket Cloud", () => {
    const written = JSON.parse(read("bitbucket/repo-push.json"));
    expect(receive("repo:push", read("bitbucket/repo-push.json"))).toMatchObject({
      kind: "parsed",
      events: [
        {
          kind: "push",
          repository: written.repository.full_name,
          ref: { kind: "branch", name: written.push.changes[0].new.name },
          commit: written.push.changes[0].new.target.hash,
          deleted: false,
        },
      ],
      identity: { id: "r1" },
    });
  });

  test("reads the push of Bitbucket Data Center", () => {
    const written = JSON.parse(read("bitbucket-server/repo-refs-changed.json"));
    const { project, slug } = written.repository;
    expect(written.changes[0].type).toBe("DELETE");
    expect(receive("repo:refs_changed", read("bitbucket-server/repo-refs-changed.json"))).toMatchObject({
      kind: "parsed",
      events: [{ kind: "push", repository: `${project.key}/${slug}`, deleted: true, commit: null }],
    });
  });

  test("reads an updated branch and a new tag of Bitbucket Data Center", () => {
    const changes = ["refs/heads/main", "refs/tags/v1"].map((refId) => ({
      refId,
      toHash: HASH,
      type: "UPDATE",
    }));
    const repository = { slug: "site", project: { key: "PROJ" } };
    expect(receive("repo:refs_changed", JSON.stringify({ repository, changes }))).toMatchObject({
      events: [
        { repository: "PROJ/site", ref: { kind: "branch", name: "main" }, deleted: false, commit: HASH },
        { ref: { kind: "tag", name: "v1" } },
      ],
    });
  });

  test("reads all changes of a push: updated, created, deleted, a tag, a renamed branch", () => {
    const changes = [
      change(side("main"), side("main")),
      change(null, side("new")),
      change(side("gone"), null),
      change(null, side("v1", "tag")),
      change(side("old-name"), null),
      change(null, side("new-name")),
    ];
    const result = receive("repo:push", cloud(...changes));
    expect(result.kind === "parsed" && result.events).toMatchObject([
      { ref: { kind: "branch", name: "main" }, deleted: false, commit: HASH },
      { ref: { kind: "branch", name: "new" }, deleted: false },
      { ref: { kind: "branch", name: "gone" }, deleted: true, commit: null },
      { ref: { kind: "tag", name: "v1" }, deleted: false },
      { ref: { kind: "branch", name: "old-name" }, deleted: true },
      { ref: { kind: "branch", name: "new-name" }, deleted: false },
    ]);
  });

  test("reads a push without changes and other events as events without a push", () => {
    expect(receive("repo:push", cloud())).toMatchObject({ events: [{ kind: "other", name: "repo:push" }] });
    for (const [event, file] of [
      ["pullrequest:fulfilled", "bitbucket/pull-request-merged.json"],
      ["pr:merged", "bitbucket-server/pr-merged.json"],
    ] as const) {
      expect(receive(event, read(file))).toMatchObject({ events: [{ kind: "other", name: event }] });
    }
  });

  test("reads the test of Data Center as a ping", () => {
    expect(receive("diagnostics:ping", '{"test":true}')).toMatchObject({ events: [{ kind: "ping" }] });
  });

  test("rejects a push under another event, and names with control characters", () => {
    const push = read("bitbucket/repo-push.json");
    expect(receive("repo:fork", push)).toMatchObject({ code: "unexpected_payload" });
    expect(receive("repo:refs_changed", push)).toMatchObject({ code: "unexpected_payload" });
    expect(receive("repo:push", cloud(change(null, side("a\nb"))))).toMatchObject({
      code: "unexpected_payload",
    });
  });

  test.each([
    ["missing", null, "signature_missing"],
    ["empty", "", "signature_mismatch"],
    ["of SHA-1", sign("{}", "sha1"), "signature_mismatch"],
    ["without its prefix", sign("{}").slice(7), "signature_mismatch"],
    ["repeated", `${sign("{}")}, ${sign("{}")}`, "signature_mismatch"],
    ["of another body", sign("[]"), "signature_mismatch"],
  ])("refuses a signature that is %s", (_, signature, code) => {
    const request = post(signature === null ? {} : { "x-hub-signature": signature }, "{}");
    expect(handler.verify(request, null, DESTINATION.now)).toMatchObject({ kind: "refused", code });
  });

  test("knows the clone URLs of Cloud and Data Center", () => {
    expect(bitbucket.cloneUrl("team/site", {})).toBe("https://bitbucket.org/team/site.git");
    const base_url = "https://bitbucket.example.com/";
    expect(bitbucket.cloneUrl("PROJ/site", { base_url })).toBe(
      "https://bitbucket.example.com/scm/PROJ/site.git",
    );
  });
});
