import { asksToSkip, type Event, isZeroCommit, type PushEvent, parseRef } from "../../domain/event.ts";
import type { ParseResult, Payload, UnreadablePayload } from "../../domain/provider.ts";
import { createLazyValidator } from "../../lib/schema.ts";
import { checkPayload, describeOther, isForm, isObject, readId, unexpected } from "../forge.ts";
import { decodeJsonField } from "../form.ts";
import { isTestPush } from "../git-push.ts";
import { decodeJsonBody, invalid } from "../json.ts";
import { readCiEvent } from "./ci.ts";
import { Ping, Push } from "./payload.ts";

const EVENT_NAME = /^[a-z0-9_]{1,100}$/;

/** Fields that together occur only in a push, and fields of which only a ping has any. */
const PUSH_FIELDS = ["ref", "before", "after"];
const PING_FIELDS = ["zen", "hook_id", "hook"];

const push = createLazyValidator(Push);
const ping = createLazyValidator(Ping);

/** Decodes a delivery whose signature was verified. */
export function readDelivery({ headers, body }: Payload): ParseResult {
  const name = headers.get("x-github-event") ?? "";
  if (!EVENT_NAME.test(name)) return invalid("the header x-github-event does not name an event");
  const id = readId(headers, "x-github-delivery");
  if (id.kind === "unreadable") return id;
  const hook = readId(headers, "x-github-hook-id");
  if (hook.kind === "unreadable") return hook;
  const decoded = isForm(headers) ? decodeJsonField(body, "payload") : decodeJsonBody(body);
  if (decoded.kind === "unreadable") return decoded;
  const event = readEvent(name, decoded.value);
  if (event.kind === "unreadable") return event;
  return { kind: "parsed", events: [event], json: decoded.text, identity: { id: id.id, hook: hook.id } };
}

/**
 * Headers are not signed: on a captured body of another event the name could be replaced, so the name must agree with
 * the body.
 */
function readEvent(name: string, payload: unknown): Event | UnreadablePayload {
  if (name === "push") {
    const checked = checkPayload(name, push(), payload);
    return checked.kind === "unreadable" ? checked : toPushEvent(checked.payload);
  }
  if (!isObject(payload)) return unexpected(name, "the payload expected object");
  if (hasAll(payload, PUSH_FIELDS)) return unexpected(name, "/ref, /before and /after belong to a push");
  if (name === "ping") {
    if (Object.hasOwn(payload, "action")) return unexpected(name, "/action belongs to another event");
    if (!PING_FIELDS.some((field) => Object.hasOwn(payload, field))) {
      return unexpected(name, "/zen, /hook_id and /hook are missing");
    }
    const checked = checkPayload(name, ping(), payload);
    return checked.kind === "unreadable" ? checked : { kind: "ping" };
  }
  if (hasAll(payload, PING_FIELDS)) return unexpected(name, "/zen, /hook_id and /hook belong to a ping");
  const ci = readCiEvent(name, payload);
  if (ci !== null) return ci;
  return describeOther(name, "published", payload);
}

function hasAll(payload: object, fields: readonly string[]): boolean {
  return fields.every((field) => Object.hasOwn(payload, field));
}

function toPushEvent(payload: Push): PushEvent {
  const ref = parseRef(payload.ref);
  const unchanged = isTestPush(payload);
  const deleted = !unchanged && (payload.deleted === true || isZeroCommit(payload.after));
  // For an annotated tag `after` is the tag object, and head_commit is the tagged commit.
  const commit = ref.kind === "tag" ? (payload.head_commit?.id ?? null) : payload.after;
  return {
    kind: "push",
    repository: payload.repository.full_name,
    ref,
    deleted,
    commit: deleted || unchanged ? null : commit,
    skip: asksToSkip(payload.head_commit?.message ?? ""),
    unchanged,
  };
}
