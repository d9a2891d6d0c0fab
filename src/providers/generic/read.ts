import { type Static, Type } from "@sinclair/typebox";
import { asksToSkip, isZeroCommit, type PushEvent, parseRef } from "../../domain/event.ts";
import type { ParseResult, Payload } from "../../domain/provider.ts";
import { createLazyValidator } from "../../lib/schema.ts";
import { readId } from "../forge.ts";
import { FullRef, isTestPush, ObjectName, RepositoryName } from "../git-push.ts";
import { decodeMarkedJsonBody } from "../json.ts";

/** The parts of a push that GitHub, Gitea and Forgejo have in common. */
const PushLike = Type.Object({
  ref: FullRef,
  before: Type.Optional(Type.Unknown()),
  after: Type.Optional(Type.Unknown()),
  deleted: Type.Optional(Type.Unknown()),
  head_commit: Type.Optional(Type.Unknown()),
  repository: Type.Object({ full_name: RepositoryName }),
});

const pushLike = createLazyValidator(PushLike);
const commitLike = createLazyValidator(Type.Object({ message: Type.String() }));
const objectName = createLazyValidator(ObjectName);

/** Decodes any JSON. A payload with the fields of a push is one. */
export function readPayload({ headers, body }: Payload, idHeader: string | undefined): ParseResult {
  const id = idHeader === undefined ? null : readId(headers, idHeader);
  if (id?.kind === "unreadable") return id;
  const decoded = decodeMarkedJsonBody(body);
  if (decoded.kind === "unreadable") return decoded;
  const { text: json, value: payload } = decoded;
  const event = pushLike().Check(payload)
    ? toPushEvent(payload)
    : { kind: "other" as const, name: "payload" };
  return { kind: "parsed", events: [event], json, identity: id && { id: id.id, hook: null } };
}

function toPushEvent(payload: Static<typeof PushLike>): PushEvent {
  const { ref, before, after, deleted: deletedFlag, head_commit, repository } = payload;
  const commit = objectName().Check(after) ? after : null;
  const unchanged = isTestPush({ before, after });
  const deleted = !unchanged && (deletedFlag === true || (commit !== null && isZeroCommit(commit)));
  return {
    kind: "push",
    repository: repository.full_name,
    ref: parseRef(ref),
    deleted,
    commit: deleted || unchanged ? null : commit,
    skip: commitLike().Check(head_commit) && asksToSkip(head_commit.message),
    unchanged,
  };
}
