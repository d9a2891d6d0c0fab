import { type Static, Type } from "@sinclair/typebox";
import { asksToSkip, isZeroCommit, type PushEvent, parseRef } from "../../domain/event.ts";
import type { ParseResult, RawRequest } from "../../domain/provider.ts";
import { createLazyValidator } from "../../lib/schema.ts";
import { FullRef, ObjectName } from "../git-push.ts";
import { decodeJsonBody } from "../json.ts";

/** A push as GitHub, Gitea and Forgejo write it, as far as it tells what to deploy. */
const PushLike = Type.Object({
  ref: FullRef,
  after: Type.Optional(Type.Unknown()),
  deleted: Type.Optional(Type.Unknown()),
  head_commit: Type.Optional(Type.Unknown()),
  repository: Type.Object({ full_name: Type.String() }),
});

const pushLike = createLazyValidator(PushLike);
const commitLike = createLazyValidator(Type.Object({ message: Type.String() }));
const objectName = createLazyValidator(ObjectName);

/** Decodes any JSON. What looks like a push is one; nothing is misshapen, as nothing was promised. */
export function readPayload({ body }: RawRequest): ParseResult {
  const decoded = decodeJsonBody(body);
  if (!decoded.ok) return { ok: false, kind: "undecodable", reason: decoded.reason };
  const { text: json, value: payload } = decoded;
  const event = pushLike().Check(payload) ? tellPush(payload) : { kind: "other" as const, name: "payload" };
  return { ok: true, event, json, identity: null };
}

function tellPush({ ref, after, deleted, head_commit, repository }: Static<typeof PushLike>): PushEvent {
  const commit = objectName().Check(after) ? after : null;
  const gone = deleted === true || (commit !== null && isZeroCommit(commit));
  return {
    kind: "push",
    repository: repository.full_name,
    ref: parseRef(ref),
    deleted: gone,
    commit: gone ? null : commit,
    skip: commitLike().Check(head_commit) && asksToSkip(head_commit.message),
  };
}
