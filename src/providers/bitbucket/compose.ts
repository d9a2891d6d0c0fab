import { isZeroCommit, parseRef } from "../../domain/event.ts";
import type { Destination, RawRequest, SampleRequest } from "../../domain/provider.ts";
import { AppError } from "../../lib/errors.ts";
import { requireSecret, type SignatureStyle, writeSignature } from "../hmac.ts";
import type { BitbucketSettings } from "./options.ts";

/** The header that GitHub uses for SHA-1. Here it holds SHA-256, and nothing else counts. */
export const SIGNATURE_HEADER = "x-hub-signature";

/** `sha256=` and the 64 lower-case hex digits of the HMAC-SHA256 of the raw body. */
export const SIGNATURE_STYLE: SignatureStyle = { algorithm: "sha256", encoding: "hex", prefix: "sha256=" };

/**
 * Composes a request as Bitbucket Cloud would send it, or with `base_url` as Data Center would. Throws an
 * {@link AppError} `configuration` for a form and when there is no secret.
 */
export function composeDelivery(
  message: SampleRequest,
  { secrets = [], base_url: base }: BitbucketSettings,
  { path, query }: Destination,
): RawRequest {
  if (message.form) throw new AppError("configuration", "Bitbucket sends only JSON; send it without --form");
  const secret = requireSecret(secrets, "bitbucket");
  const isCloud = base === undefined;
  const { key, body } = describe(message, isCloud);
  const headers = new Headers({
    "content-type": "application/json",
    "user-agent": isCloud ? "Bitbucket-Webhooks/2.0" : "Atlassian HttpClient",
    "x-event-key": key,
    [isCloud ? "x-request-uuid" : "x-request-id"]: message.deliveryId,
    [SIGNATURE_HEADER]: writeSignature(secret.reveal(), body, SIGNATURE_STYLE),
  });
  return { method: "POST", path, query, headers, body };
}

function describe(
  message: SampleRequest,
  isCloud: boolean,
): { readonly key: string; readonly body: Uint8Array } {
  const push = isCloud ? "repo:push" : "repo:refs_changed";
  switch (message.kind) {
    case "payload":
      return { key: message.event === "push" ? push : message.event, body: message.json };
    case "ping":
      return { key: "diagnostics:ping", body: Buffer.from('{"test":true}') };
    case "push":
      return {
        key: push,
        body: Buffer.from(JSON.stringify(isCloud ? describeCloud(message) : describeServer(message))),
      };
  }
}

type PushMessage = Extract<SampleRequest, { kind: "push" }>;

function describeCloud({ repository, ref, before, after }: PushMessage): object {
  const { kind: type, name } = parseRef(ref);
  const side = (hash: string) =>
    isZeroCommit(hash) ? null : { type, name, target: { type: "commit", hash, message: "A commit" } };
  return {
    actor: { display_name: "Octocat" },
    repository: { type: "repository", name: repository.split("/")[1], full_name: repository },
    push: {
      changes: [
        {
          old: side(before),
          new: side(after),
          created: isZeroCommit(before),
          closed: isZeroCommit(after),
          forced: false,
          truncated: false,
          commits: [],
        },
      ],
    },
  };
}

function describeServer({ repository, ref, before, after }: PushMessage): object {
  const { kind, name } = parseRef(ref);
  const [key, slug] = repository.split("/", 2);
  const type = isZeroCommit(after) ? "DELETE" : isZeroCommit(before) ? "ADD" : "UPDATE";
  return {
    eventKey: "repo:refs_changed",
    date: "2026-01-01T00:00:00+0000",
    actor: { name: "octocat" },
    repository: { slug, name: slug, project: { key, name: key, type: "NORMAL" } },
    changes: [
      {
        ref: { id: ref, displayId: name, type: kind.toUpperCase() },
        refId: ref,
        fromHash: before,
        toHash: after,
        type,
      },
    ],
  };
}
