import { asksToSkip, type Event, isZeroCommit, type PushEvent, parseRef } from "../../domain/event.ts";
import type { ParseResult, Payload, UnreadablePayload } from "../../domain/provider.ts";
import { createLazyValidator, describeSchemaErrors } from "../../lib/schema.ts";
import { describeOther, isForm, isObject } from "../forge.ts";
import { decodeJsonField } from "../form.ts";
import { isTestPush } from "../git-push.ts";
import { decodeJsonBody, invalid } from "../json.ts";
import { readCiEvent } from "./ci.ts";
import { Ping, Push } from "./payload.ts";

const EVENT_NAME = /^[a-z0-9_]{1,100}$/;
/** Printable ASCII without spaces, so that two headers joined by `, ` are not an id. GitHub's own is a GUID. */
const ID = /^[!-~]{1,128}$/;

/** Fields that together occur only in a push, and fields of which only a ping has any. */
const PUSH_FIELDS = ["ref", "before", "after"];
const PING_FIELDS = ["zen", "hook_id", "hook"];

const push = createLazyValidator(Push);
const ping = createLazyValidator(Ping);

/** Decodes a delivery whose signature was verified. */
export function readDelivery({ headers, body }: Payload): ParseResult {
  const name = headers.get("x-github-event") ?? "";
  if (!EVENT_NAME.test(name)) return invalid("the header x-github-event does not name an event");
  const identity = { id: headers.get("x-github-delivery"), hook: headers.get("x-github-hook-id") };
  if (identity.id !== null && !ID.test(identity.id)) {
    return invalid("the header x-github-delivery is not an id");
  }
  if (identity.hook !== null && !ID.test(identity.hook)) {
    return invalid("the header x-github-hook-id is not an id");
  }
  const decoded = isForm(headers) ? decodeJsonField(body, "payload") : decodeJsonBody(body);
  if (decoded.kind === "unreadable") return decoded;
  const event = readEvent(name, decoded.value);
  if (event.kind === "unreadable") return event;
  return { kind: "parsed", events: [event], json: decoded.text, identity };
}

/**
 * Headers are not signed: on a captured body of another event the name could be replaced, so the name must agree with
 * the body.
 */
function readEvent(name: string, payload: unknown): Event | UnreadablePayload {
  const unexpected = (reason: string): UnreadablePayload => ({
    kind: "unreadable",
    code: "unexpected_payload",
    reason: `${name}: ${reason}`,
  });
  if (name === "push") {
    if (push().Check(payload)) return toPushEvent(payload);
    return unexpected(describeSchemaErrors(push(), payload));
  }
  if (!isObject(payload)) return unexpected("the payload expected object");
  if (hasAll(payload, PUSH_FIELDS)) return unexpected("/ref, /before and /after belong to a push");
  if (name === "ping") {
    if (Object.hasOwn(payload, "action")) return unexpected("/action belongs to another event");
    if (!PING_FIELDS.some((field) => Object.hasOwn(payload, field))) {
      return unexpected("/zen, /hook_id and /hook are missing");
    }
    return ping().Check(payload) ? { kind: "ping" } : unexpected(describeSchemaErrors(ping(), payload));
  }
  if (hasAll(payload, PING_FIELDS)) return unexpected("/zen, /hook_id and /hook belong to a ping");
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
