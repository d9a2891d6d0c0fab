import { type Static, Type } from "@sinclair/typebox";
import {
  asksToSkip,
  type Event,
  type Events,
  isZeroCommit,
  type OtherEvent,
  type PushEvent,
  parseRef,
} from "../../domain/event.ts";
import type { ParseResult, Payload, UnreadablePayload } from "../../domain/provider.ts";
import { createLazyValidator } from "../../lib/schema.ts";
import { checkPayload, isObject, readId, unexpected } from "../forge.ts";
import { FullRef, ObjectName, RepositoryName } from "../git-push.ts";
import { decodeJsonBody, invalid } from "../json.ts";
import { readCiEvent } from "./ci.ts";

/** A branch or tag of Bitbucket Cloud, by its short name. */
const CloudRef = Type.Object({
  type: Type.String(),
  // As in a full ref name, no control characters and no lone surrogates.
  name: Type.RegExp(/^(?:[\u0080-\u009f]|[^\p{Cc}\p{Cs}])+$/u, { expected: "the name of a ref" }),
  target: Type.Object({ hash: ObjectName, message: Type.Optional(Type.String()) }),
});
const NullableRef = Type.Union([CloudRef, Type.Null()], { expected: "a branch, a tag or null" });

/** The headers with the id of a delivery, of Cloud and of Data Center. */
export const ID_HEADERS = ["x-request-uuid", "x-request-id"];

/** The push of Bitbucket Cloud. One push may change several refs. */
const CloudPush = Type.Object({
  repository: Type.Object({ full_name: RepositoryName }),
  push: Type.Object({ changes: Type.Array(Type.Object({ old: NullableRef, new: NullableRef })) }),
});

/** The push of Bitbucket Data Center. */
const ServerPush = Type.Object({
  repository: Type.Object({ slug: RepositoryName, project: Type.Object({ key: RepositoryName }) }),
  changes: Type.Array(Type.Object({ refId: FullRef, toHash: ObjectName, type: Type.String() })),
});

const cloudPush = createLazyValidator(CloudPush);
const serverPush = createLazyValidator(ServerPush);

/** Decodes a delivery whose signature was verified. */
export function readDelivery({ headers, body }: Payload): ParseResult {
  const name = headers.get("x-event-key") ?? "";
  if (!/^[a-z][a-z0-9_:-]{0,99}$/.test(name)) return invalid("the header x-event-key does not name an event");
  const id = readId(headers, ...ID_HEADERS);
  if (id.kind === "unreadable") return id;
  const hook = readId(headers, "x-hook-uuid");
  if (hook.kind === "unreadable") return hook;
  const decoded = decodeJsonBody(body);
  if (decoded.kind === "unreadable") return decoded;
  const events = readEvents(name, decoded.value);
  if ("kind" in events) return events;
  const [first = { kind: "other", name } satisfies Event, ...others] = events;
  const all: Events = [first, ...others];
  return { kind: "parsed", events: all, json: decoded.text, identity: { id: id.id, hook: hook.id } };
}

/** Headers are not signed: the name must agree with the body. */
function readEvents(name: string, payload: unknown): readonly Event[] | UnreadablePayload {
  if (name === "repo:push") {
    const checked = checkPayload(name, cloudPush(), payload);
    return checked.kind === "unreadable" ? checked : readCloudPush(checked.payload);
  }
  if (name === "repo:refs_changed") {
    const checked = checkPayload(name, serverPush(), payload);
    return checked.kind === "unreadable" ? checked : readServerPush(checked.payload);
  }
  if (!isObject(payload)) return unexpected(name, "the payload expected object");
  if (Object.hasOwn(payload, "push") || Object.hasOwn(payload, "changes")) {
    return unexpected(name, "/push and /changes belong to a push");
  }
  if (name === "diagnostics:ping") return [{ kind: "ping" }];
  return [readCiEvent(name, payload) ?? { kind: "other", name, ...describeRepository(payload) }];
}

/** A payload that lacks the repository, or has another form of it, is only matched by fewer rules. */
function describeRepository({
  repository,
}: Readonly<Record<string, unknown>>): Pick<OtherEvent, "repository"> {
  if (!isObject(repository)) return {};
  const { full_name: name, slug, project } = repository;
  if (typeof name === "string") return { repository: name };
  const key = isObject(project) ? project.key : undefined;
  return typeof slug === "string" && typeof key === "string" ? { repository: `${key}/${slug}` } : {};
}

function readCloudPush({ repository, push }: Static<typeof CloudPush>): readonly PushEvent[] {
  return push.changes.flatMap(({ old, new: tip }): PushEvent[] => {
    const ref = tip ?? old;
    if (ref === null) return [];
    const kind = ref.type === "branch" || ref.type === "tag" ? ref.type : "other";
    return [
      {
        kind: "push",
        repository: repository.full_name,
        ref: { kind, name: ref.name },
        deleted: tip === null,
        commit: tip?.target.hash ?? null,
        skip: asksToSkip(tip?.target.message ?? ""),
      },
    ];
  });
}

function readServerPush({ repository, changes }: Static<typeof ServerPush>): readonly PushEvent[] {
  return changes.map(({ refId, toHash, type }) => {
    const ref = parseRef(refId);
    const deleted = type === "DELETE" || isZeroCommit(toHash);
    return {
      kind: "push",
      repository: `${repository.project.key}/${repository.slug}`,
      ref,
      deleted,
      commit: deleted ? null : toHash,
      skip: false,
    };
  });
}
