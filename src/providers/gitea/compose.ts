import { isZeroCommit } from "../../domain/event.ts";
import type { Destination, RawRequest, SampleRequest } from "../../domain/provider.ts";
import { AppError } from "../../lib/errors.ts";
import type { Secret } from "../../lib/secret.ts";
import { encodeField } from "../form.ts";
import { requireSecret, type SignatureStyle, writeSignature } from "../hmac.ts";

/** The 64 lower-case hex digits of the HMAC-SHA256, without a prefix. */
export const SIGNATURE_STYLE: SignatureStyle = { algorithm: "sha256", encoding: "hex", prefix: "" };

/**
 * Composes a request as Gitea would send it. Throws an {@link AppError} `configuration` when there is no secret, and for a
 * ping: the test of a webhook at Gitea is a push.
 */
export function composeDelivery(
  message: SampleRequest,
  secrets: readonly Secret[],
  { path, query }: Destination,
): RawRequest {
  if (message.kind === "ping") {
    throw new AppError("configuration", "Gitea sends no ping: use send push, which may deploy");
  }
  const secret = requireSecret(secrets, "gitea");
  const json =
    message.kind === "payload" ? message.json : Buffer.from(JSON.stringify(describe(message), null, 2));
  const headers = new Headers({
    "content-type": message.form ? "application/x-www-form-urlencoded" : "application/json",
    "user-agent": "Go-http-client/1.1",
    "x-gitea-event": message.kind === "payload" ? message.event : "push",
    "x-gitea-event-type": message.kind === "payload" ? message.event : "push",
    "x-gitea-delivery": message.deliveryId,
    "x-gitea-signature": writeSignature(secret.reveal(), json, SIGNATURE_STYLE),
  });
  return { method: "POST", path, query, headers, body: message.form ? encodeField("payload", json) : json };
}

function describe(message: Extract<SampleRequest, { kind: "push" }>): object {
  const { repository, ref, before, after } = message;
  const [owner, name] = repository.split("/", 2);
  const person = { name: "octocat", email: "octocat@example.com", username: "octocat" };
  const commit = isZeroCommit(after)
    ? null
    : {
        id: after,
        message: "A commit\n",
        author: person,
        committer: person,
        timestamp: "2026-01-01T00:00:00Z",
      };
  return {
    ref,
    before,
    after,
    compare_url: "",
    commits: commit === null ? [] : [commit],
    total_commits: commit === null ? 0 : 1,
    head_commit: commit,
    repository: { id: 1, owner: { login: owner }, name, full_name: repository, default_branch: "main" },
    pusher: { login: "octocat" },
    sender: { login: "octocat" },
  };
}
