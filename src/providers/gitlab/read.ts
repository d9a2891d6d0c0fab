import { type Static, Type } from "@sinclair/typebox";
import {
  asksToSkip,
  type Event,
  isZeroCommit,
  type OtherEvent,
  type PushEvent,
  parseRef,
  type ReleaseEvent,
} from "../../domain/event.ts";
import type { ParseResult, Payload, UnreadablePayload } from "../../domain/provider.ts";
import { createLazyValidator } from "../../lib/schema.ts";
import { checkPayload, isObject, nameEvent, readId, unexpected } from "../forge.ts";
import { FullRef, ObjectName, RepositoryName } from "../git-push.ts";
import { decodeJsonBody, invalid } from "../json.ts";
import { readPipeline } from "./ci.ts";

/**
 * The parts of a push that are used, which push hooks, tag push hooks and system hooks have in common. Templates of
 * administrators may leave out others.
 */
const Push = Type.Object({
  before: ObjectName,
  after: ObjectName,
  ref: FullRef,
  // The commit, also of an annotated tag; null when the ref was deleted.
  checkout_sha: Type.Optional(Type.Union([ObjectName, Type.Null()], { expected: "a commit or null" })),
  project: Type.Object({ path_with_namespace: RepositoryName }),
  commits: Type.Optional(
    Type.Array(Type.Object({ id: Type.String(), message: Type.Optional(Type.String()) })),
  ),
});

const push = createLazyValidator(Push);

/** The headers with the id of a delivery. */
export const ID_HEADERS = ["webhook-id", "idempotency-key"];

/** The kind of the body that belongs to the header of a push. A system hook may have any. */
const KINDS = new Map<string, string>(Object.entries({ "Push Hook": "push", "Tag Push Hook": "tag_push" }));

/** Decodes a delivery whose sender was verified. */
export function readDelivery({ headers, body }: Payload): ParseResult {
  const name = headers.get("x-gitlab-event") ?? "";
  if (!/^[A-Za-z][\w ]{0,99}$/.test(name)) return invalid("the header x-gitlab-event does not name an event");
  const id = readId(headers, ...ID_HEADERS);
  if (id.kind === "unreadable") return id;
  const hook = readId(headers, "x-gitlab-webhook-uuid");
  if (hook.kind === "unreadable") return hook;
  const decoded = decodeJsonBody(body);
  if (decoded.kind === "unreadable") return decoded;
  const event = readEvent(name, decoded.value);
  if (event.kind === "unreadable") return event;
  return { kind: "parsed", events: [event], json: decoded.text, identity: { id: id.id, hook: hook.id } };
}

/** The body decides, because headers may be unsigned; the header must agree with it. */
function readEvent(header: string, payload: unknown): Event | UnreadablePayload {
  if (!isObject(payload)) return unexpected(header, "the payload expected object");
  const written = payload.object_kind ?? payload.event_name;
  const kind = typeof written === "string" && /^[a-z_]{1,100}$/.test(written) ? written : null;
  const isPush = kind === "push" || kind === "tag_push";
  const expected = KINDS.get(header) ?? null;
  if (expected === null && header !== "System Hook" && isPush) {
    return unexpected(header, "/object_kind belongs to a push");
  }
  if (expected !== null && kind !== expected) return unexpected(header, `/object_kind expected ${expected}`);
  if (!isPush) {
    return (kind === "pipeline" ? readPipeline(payload) : null) ?? describeOther(kind ?? header, payload);
  }
  const checked = checkPayload(header, push(), payload);
  return checked.kind === "unreadable" ? checked : toPushEvent(checked.payload);
}

/** A payload that lacks these, or has others, is only matched by fewer rules. */
function describeOther(
  name: string,
  { object_attributes: attributes, action: direct, project }: Readonly<Record<string, unknown>>,
): OtherEvent | ReleaseEvent {
  // The action of a release is beside its fields, that of an issue or merge request is among its attributes.
  const action = isObject(attributes) ? attributes.action : direct;
  const repository = isObject(project) ? project.path_with_namespace : undefined;
  return nameEvent(name, "create", action, repository);
}

function toPushEvent({ ref, after, checkout_sha, project, commits = [] }: Static<typeof Push>): PushEvent {
  const deleted = isZeroCommit(after);
  const commit = deleted ? null : (checkout_sha ?? after);
  return {
    kind: "push",
    repository: project.path_with_namespace,
    ref: parseRef(ref),
    deleted,
    commit,
    skip: asksToSkip(commits.find(({ id }) => id === commit)?.message ?? ""),
  };
}
