import { type Static, type TSchema, Type } from "@sinclair/typebox";
import type { TypeCheck } from "@sinclair/typebox/compiler";
import type { OtherEvent, ReleaseEvent } from "../domain/event.ts";
import type { UnreadablePayload } from "../domain/provider.ts";
import { CheckedString, describeSchemaErrors, SecretSetting } from "../lib/schema.ts";
import { invalid } from "./json.ts";

/** What the providers of forges have in common. */

/** Shared secrets of webhooks. */
export const SecretList = Type.Array(SecretSetting, { minItems: 1, expected: "a list of secrets" });

/** The description of a list of secrets. */
export const SECRETS =
  "Secrets of the webhook. Any of them verifies, so that one can be rotated. Default: one generated secret.";

/** The address of a self-hosted forge. */
export const ForgeUrl = CheckedString("forge-url", isForgeUrl, {
  expected: 'a URL such as "https://git.example.com", without a user, password, query or fragment',
});

function isForgeUrl(text: string): boolean {
  if (!URL.canParse(text) || /[?#\s]/.test(text)) return false;
  const { protocol, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && username === "" && password === "";
}

/** Appends a path to the address of a forge. */
export function joinUrl(base: string, path: string): string {
  return `${base.replace(/\/+$/, "")}/${path}`;
}

/** The path of the address of a forge; empty for its public host. */
export function pathOf(base: string | undefined): string {
  return base === undefined ? "" : new URL(base).pathname;
}

/** A field of the sender's form, unless it has no value. */
export function formField(label: string, value: string | undefined): readonly [string, string][] {
  return value === undefined ? [] : [[label, value]];
}

/** Printable ASCII without spaces, so that two headers joined by `, ` are not an id. */
const ID = /^[!-~]{1,128}$/;

/** Reads the first header that is present as an id; null when none is. */
export function readId(
  headers: Headers,
  ...names: readonly string[]
): { readonly kind: "id"; readonly id: string | null } | UnreadablePayload {
  const name = names.find((each) => headers.has(each));
  const id = name === undefined ? null : headers.get(name);
  return id === null || ID.test(id) ? { kind: "id", id } : invalid(`the header ${name} is not an id`);
}

/** A payload that is not the one of its event. */
export function unexpected(event: string, reason: string): UnreadablePayload {
  return { kind: "unreadable", code: "unexpected_payload", reason: `${event}: ${reason}` };
}

/** A payload of a schema, or which fields do not match it. */
export function checkPayload<Schema extends TSchema>(
  event: string,
  validator: TypeCheck<Schema>,
  payload: unknown,
): { readonly kind: "checked"; readonly payload: Static<Schema> } | UnreadablePayload {
  return validator.Check(payload)
    ? { kind: "checked", payload }
    : unexpected(event, describeSchemaErrors(validator, payload));
}

/** Whether a value is an object. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * An event of GitHub or a forge that follows it, with its action and repository. A payload that lacks these, or has
 * others, is only matched by fewer rules.
 */
export function describeOther(
  name: string,
  published: string,
  { action, repository }: Readonly<Record<string, unknown>>,
): OtherEvent | ReleaseEvent {
  return nameEvent(name, published, action, isObject(repository) ? repository.full_name : undefined);
}

/** An event by its name. `published` is the action with which a forge publishes a release. */
export function nameEvent(
  name: string,
  published: string,
  action: unknown,
  repository: unknown,
): OtherEvent | ReleaseEvent {
  return {
    kind: name === "release" && action === published ? "release" : "other",
    name,
    ...(typeof action === "string" && { action }),
    ...(typeof repository === "string" && { repository }),
  };
}

/** Whether the content type is that of a form. */
export function isForm(headers: Headers): boolean {
  return /^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(headers.get("content-type") ?? "");
}
