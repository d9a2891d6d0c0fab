import { asksToSkip, type Event, isZeroCommit, type PushEvent, parseRef } from "../../domain/event.ts";
import type { ParseResult, RawRequest } from "../../domain/provider.ts";
import { createLazyValidator, describeSchemaErrors } from "../../lib/schema.ts";
import { decodeJsonField } from "../form.ts";
import { decodeJsonBody } from "../json.ts";
import { Ping, Push } from "./payload.ts";

const EVENT_NAME = /^[a-z0-9_]{1,100}$/;
/** Printable ASCII without spaces, so that two headers joined by `, ` are not an id. GitHub's own is a GUID. */
const ID = /^[!-~]{1,128}$/;

/** Fields that together tell a push, and a ping, from every other event. Every ping has one of its own at least. */
const PUSH_MARKS = ["ref", "before", "after"];
const PING_MARKS = ["zen", "hook_id", "hook"];

const push = createLazyValidator(Push);
const ping = createLazyValidator(Ping);

/** Decodes a delivery of GitHub's whose signature was verified. */
export function readDelivery({ headers, body }: RawRequest): ParseResult {
  const name = headers.get("x-github-event") ?? "";
  if (!EVENT_NAME.test(name)) return undecodable("the header x-github-event does not name an event");
  const identity = { id: headers.get("x-github-delivery"), hook: headers.get("x-github-hook-id") };
  if (identity.id !== null && !ID.test(identity.id))
    return undecodable("the header x-github-delivery is not an id");
  if (identity.hook !== null && !ID.test(identity.hook))
    return undecodable("the header x-github-hook-id is not an id");
  const decoded = isForm(headers) ? decodeJsonField(body, "payload") : decodeJsonBody(body);
  if (!decoded.ok) return undecodable(decoded.reason);
  const { text: json, value: payload } = decoded;
  const told = tell(name, payload);
  if (typeof told === "string") return { ok: false, kind: "misshapen", reason: `${name}: ${told}` };
  return { ok: true, event: told, json, identity };
}

function undecodable(reason: string): ParseResult {
  return { ok: false, kind: "undecodable", reason };
}

function isForm(headers: Headers): boolean {
  return /^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(headers.get("content-type") ?? "");
}

/**
 * The event, or why the body is not what the header says. Headers are not signed: on a captured body of another
 * event the name could be swapped, so the name must agree with the body.
 */
function tell(name: string, payload: unknown): Event | string {
  if (name === "push")
    return push().Check(payload) ? tellPush(payload) : describeSchemaErrors(push(), payload);
  if (!isObject(payload)) return "the payload expected object";
  if (hasAll(payload, PUSH_MARKS)) return "/ref, /before and /after belong to a push";
  if (name === "ping") {
    if (hasAll(payload, ["action"])) return "/action belongs to another event";
    if (!PING_MARKS.some((name) => hasAll(payload, [name]))) return "/zen, /hook_id and /hook are missing";
    return ping().Check(payload) ? { kind: "ping" } : describeSchemaErrors(ping(), payload);
  }
  if (hasAll(payload, PING_MARKS)) return "/zen, /hook_id and /hook belong to a ping";
  return { kind: "other", name };
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function hasAll(payload: object, names: readonly string[]): boolean {
  return names.every((name) => Object.hasOwn(payload, name));
}

function tellPush(payload: Push): PushEvent {
  const ref = parseRef(payload.ref);
  const deleted = payload.deleted || isZeroCommit(payload.after);
  // Of an annotated tag `after` is the tag object; the commit that it names is head_commit.
  const commit = ref.kind === "tag" ? (payload.head_commit?.id ?? null) : payload.after;
  return {
    kind: "push",
    repository: payload.repository.full_name,
    ref,
    deleted,
    commit: deleted ? null : commit,
    skip: asksToSkip(payload.head_commit?.message ?? ""),
  };
}
