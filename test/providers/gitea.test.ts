import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gitea } from "../../src/providers/gitea/index.ts";
import { DESTINATION, post } from "../support/request.ts";
import { loadSecret } from "./load-secret.ts";

const PAYLOADS = join(import.meta.dir, "../fixtures/payloads/gitea");
const SECRET = "It's a Secret to Everybody";
const NOW = DESTINATION.now;
const handler = gitea.createHandler({ secrets: [loadSecret("an older secret"), loadSecret(SECRET)] });
const read = (file: string) => readFileSync(join(PAYLOADS, file), "utf8");
const hex = (text: string, algorithm = "sha256") => createHmac(algorithm, SECRET).update(text).digest("hex");

function send(event: string, json: string, fork = "gitea", form = false) {
  const body = form ? new URLSearchParams({ payload: json }).toString() : json;
  return post(
    {
      "content-type": form ? "application/x-www-form-urlencoded" : "application/json",
      [`x-${fork}-event`]: event,
      [`x-${fork}-delivery`]: "d1",
      [`x-${fork}-signature`]: hex(json),
    },
    body,
  );
}

function receive(...args: Parameters<typeof send>) {
  const request = send(...args);
  expect(handler.verify(request, null, NOW)).toEqual({ kind: "verified" });
  return handler.parse(request);
}

const push = JSON.parse(read("push-event.json"));
const events = (result: ReturnType<typeof receive>) => (result.kind === "parsed" ? result.events : []);

describe("Gitea source", () => {
  test.each(["gitea", "forgejo", "gogs"])(
    "reads a push under the headers of %s, as JSON and as a form",
    (fork) => {
      const json = read("push-event.json");
      const result = receive("push", json, fork);
      expect(events(result)).toMatchObject([
        {
          kind: "push",
          ref: { kind: "branch", name: "master" },
          deleted: false,
          commit: push.after,
          unchanged: false,
        },
      ]);
      expect(result).toMatchObject({ identity: { id: "d1", hook: null } });
      expect(receive("push", json, fork, true)).toEqual(result);
    },
  );

  test.each([
    ["the same commit", push.after],
    ["zeros", "0".repeat(40)],
  ])("reads a test delivery with %s on both sides as unchanged, not as deleted", (_, commit) => {
    const body = JSON.stringify({ ...push, before: commit, after: commit });
    expect(events(receive("push", body))).toMatchObject([{ kind: "push", unchanged: true, deleted: false }]);
  });

  test.each(["delete", "create", "pull_request"])("reads the event %s as another event", (event) => {
    const file = event === "pull_request" ? "pull-request-event.json" : `${event}-event.json`;
    expect(events(receive(event, read(file)))).toMatchObject([
      { kind: "other", name: event, repository: JSON.parse(read(file).toString()).repository.full_name },
    ]);
  });

  test("reads a push of zeros as deleted", () => {
    const body = JSON.stringify({ ...push, after: "0".repeat(40), before: push.after, head_commit: null });
    expect(events(receive("push", body))).toMatchObject([{ deleted: true, commit: null }]);
  });

  test("rejects a push under the header of another event", () => {
    expect(receive("create", read("push-event.json"))).toMatchObject({ code: "unexpected_payload" });
  });

  const json = read("push-event.json");
  test.each([
    ["missing", { "x-gitea-signature": null }, "signature_missing"],
    ["empty, as without a secret", { "x-gitea-signature": "" }, "signature_mismatch"],
    ["with a prefix", { "x-gitea-signature": `sha256=${hex(json)}` }, "signature_mismatch"],
    ["in upper case", { "x-gitea-signature": hex(json).toUpperCase() }, "signature_mismatch"],
    ["of SHA-1", { "x-gitea-signature": hex(json, "sha1") }, "signature_mismatch"],
    ["repeated", { "x-gitea-signature": `${hex(json)}, ${hex(json)}` }, "signature_mismatch"],
    ["of another body", { "x-gitea-signature": hex("{}") }, "signature_mismatch"],
  ])("refuses a signature that is %s", (_, changes, code) => {
    const request = send("push", json);
    for (const [name, value] of Object.entries(changes)) {
      if (value === null) request.headers.delete(name);
      else request.headers.set(name, value);
    }
    expect(handler.verify(request, null, NOW)).toMatchObject({ kind: "refused", code });
  });

  test("refuses a form whose signature covers the form", () => {
    const request = send("push", json, "gitea", true);
    request.headers.set("x-gitea-signature", hex(Buffer.from(request.body).toString()));
    expect(handler.verify(request, null, NOW)).toMatchObject({ code: "signature_mismatch" });
  });

  test("knows a clone URL only with base_url", () => {
    expect(gitea.cloneUrl("a/site", {})).toBeNull();
    expect(gitea.cloneUrl("a/site", { base_url: "https://codeberg.org" })).toBe(
      "https://codeberg.org/a/site.git",
    );
  });
});
