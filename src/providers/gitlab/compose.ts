import { isZeroCommit, parseRef } from "../../domain/event.ts";
import type { Destination, RawRequest, SampleRequest } from "../../domain/provider.ts";
import { AppError } from "../../lib/errors.ts";
import { joinUrl } from "../forge.ts";
import { signStandard } from "../standard-signature.ts";
import type { GitlabSettings } from "./options.ts";

const HOOK = "7f6a9f10-2b1c-4a58-9f4e-8f9a1f3f6c01";

/**
 * Composes a request as GitLab would send it. Throws an {@link AppError} `configuration` for a form and a ping, which
 * GitLab does not send, and when there is no secret. The test of a webhook at GitLab is a push.
 */
export function composeDelivery(
  message: SampleRequest,
  {
    secrets = [],
    signing_secrets: signingSecrets = [],
    base_url: base = "https://gitlab.com",
  }: GitlabSettings,
  { path, query, now }: Destination,
): RawRequest {
  if (message.kind === "ping") {
    throw new AppError("configuration", "GitLab sends no ping: use send push, which may deploy");
  }
  if (message.form) {
    throw new AppError("configuration", "GitLab sends only JSON; send it without --form");
  }
  const body =
    message.kind === "payload" ? message.json : Buffer.from(JSON.stringify(describe(message, base)));
  const signed = signStandard(message.deliveryId, body, signingSecrets, now);
  const [token] = secrets;
  if (signed === null && token === undefined) {
    throw new AppError("configuration", "the gitlab source has no secret");
  }
  const headers = new Headers({
    "content-type": "application/json",
    "user-agent": "GitLab/hooklatch",
    "x-gitlab-event": nameEvent(message),
    "x-gitlab-instance": base,
    "x-gitlab-webhook-uuid": HOOK,
    "idempotency-key": message.deliveryId,
    ...signed,
    ...(token !== undefined && { "x-gitlab-token": token.reveal() }),
  });
  return { method: "POST", path, query, headers, body };
}

function nameEvent(message: SampleRequest): string {
  if (message.kind === "payload") return NAMES[message.event] ?? message.event;
  return message.kind === "push" && parseRef(message.ref).kind === "tag" ? "Tag Push Hook" : "Push Hook";
}

/** The header of the events that `send` names as other forges do. */
const NAMES: Readonly<Record<string, string>> = {
  push: "Push Hook",
  tag_push: "Tag Push Hook",
  pipeline: "Pipeline Hook",
  release: "Release Hook",
};

function describe(message: Extract<SampleRequest, { kind: "push" }>, base: string): object {
  const { repository, ref, before, after } = message;
  const kind = parseRef(ref).kind === "tag" ? "tag_push" : "push";
  const page = joinUrl(base, repository);
  const isDeleted = isZeroCommit(after);
  const commit = {
    id: after,
    message: "A commit",
    title: "A commit",
    timestamp: "2026-01-01T00:00:00Z",
    url: `${page}/-/commit/${after}`,
    author: { name: "octocat", email: "[REDACTED]" },
    added: [],
    modified: ["README.md"],
    removed: [],
  };
  return {
    object_kind: kind,
    event_name: kind,
    before,
    after,
    ref,
    ref_protected: true,
    checkout_sha: isDeleted ? null : after,
    user_id: 1,
    user_name: "Octocat",
    user_username: "octocat",
    project_id: 1,
    project: {
      id: 1,
      name: repository.split("/").at(-1),
      web_url: page,
      git_http_url: `${page}.git`,
      path_with_namespace: repository,
      default_branch: "main",
    },
    commits: isDeleted || kind === "tag_push" ? [] : [commit],
    total_commits_count: isDeleted || kind === "tag_push" ? 0 : 1,
  };
}
