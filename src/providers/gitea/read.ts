import { type Static, Type } from "@sinclair/typebox";
import { asksToSkip, type Event, isZeroCommit, type PushEvent, parseRef } from "../../domain/event.ts";
import type { ParseResult, Payload, UnreadablePayload } from "../../domain/provider.ts";
import { createLazyValidator } from "../../lib/schema.ts";
import { checkPayload, describeOther, isForm, isObject, readId, unexpected } from "../forge.ts";
import { decodeJsonField } from "../form.ts";
import { FullRef, ObjectName, RepositoryName } from "../git-push.ts";
import { decodeJsonBody, invalid } from "../json.ts";
import { readCiEvent } from "./ci.ts";

/** The forks, whose names are in the headers. Forgejo and Gitea also send those of the older ones. */
export const FORKS = ["forgejo", "gitea", "gogs"] as const;

/** The headers with the id of a delivery. */
export const ID_HEADERS = FORKS.map((fork) => `x-${fork}-delivery`);

/** The parts of a push that are used. There is no `created`, `deleted` or `forced`. */
const Push = Type.Object({
  ref: FullRef,
  before: ObjectName,
  after: ObjectName,
  repository: Type.Object({ full_name: RepositoryName }),
  head_commit: Type.Optional(
    Type.Union([Type.Object({ id: ObjectName, message: Type.Optional(Type.String()) }), Type.Null()], {
      expected: "a commit or null",
    }),
  ),
});

const push = createLazyValidator(Push);

/** Decodes a delivery whose signature was verified. */
export function readDelivery({ headers, body }: Payload): ParseResult {
  const header = FORKS.map((fork) => `x-${fork}-event`).find((each) => headers.has(each)) ?? "x-gitea-event";
  const name = headers.get(header) ?? "";
  if (!/^[a-z0-9_]{1,100}$/.test(name)) return invalid(`the header ${header} does not name an event`);
  const id = readId(headers, ...ID_HEADERS);
  if (id.kind === "unreadable") return id;
  const decoded = isForm(headers) ? decodeJsonField(body, "payload") : decodeJsonBody(body);
  if (decoded.kind === "unreadable") return decoded;
  const event = readEvent(name, decoded.value);
  if (event.kind === "unreadable") return event;
  return { kind: "parsed", events: [event], json: decoded.text, identity: { id: id.id, hook: null } };
}

/** Headers are not signed: the name must agree with the body. */
function readEvent(name: string, payload: unknown): Event | UnreadablePayload {
  if (name === "push") {
    const checked = checkPayload(name, push(), payload);
    return checked.kind === "unreadable" ? checked : toPushEvent(checked.payload);
  }
  if (!isObject(payload)) return unexpected(name, "the payload expected object");
  if (["ref", "before", "after"].every((field) => Object.hasOwn(payload, field))) {
    return unexpected(name, "/ref, /before and /after belong to a push");
  }
  return readCiEvent(name, payload) ?? describeOther(name, "published", payload);
}

function toPushEvent({ ref: full, before, after, head_commit, repository }: Static<typeof Push>): PushEvent {
  const ref = parseRef(full);
  // The test of a webhook is a push of the same commit, or of zeros in an empty repository.
  const unchanged = before === after;
  const deleted = !unchanged && isZeroCommit(after);
  // For an annotated tag `after` is the tag object.
  const commit = ref.kind === "tag" ? (head_commit?.id ?? null) : after;
  return {
    kind: "push",
    repository: repository.full_name,
    ref,
    deleted,
    commit: deleted || isZeroCommit(after) ? null : commit,
    skip: asksToSkip(head_commit?.message ?? ""),
    unchanged,
  };
}
