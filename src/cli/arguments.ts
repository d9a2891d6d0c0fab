import { isIP } from "node:net";
import { Value } from "@sinclair/typebox/value";
import { InvalidArgumentError } from "commander";
import { parseDeliveryId } from "../domain/delivery.ts";
import { MAX_PAGE } from "../domain/page.ts";
import { DurationSetting } from "../lib/schema.ts";

/** Reads a number of a delivery, a deployment or a client. Like all of these it throws what commander tells, with exit code 2. */
export function readId(text: string): number {
  const id = parseDeliveryId(text);
  if (id !== null) return id;
  throw new InvalidArgumentError("expected a whole number from 1.");
}

/** Reads how many items a page may have. */
export function readLimit(text: string): number {
  const limit = parseDeliveryId(text);
  if (limit !== null && limit <= MAX_PAGE) return limit;
  throw new InvalidArgumentError(`expected a whole number from 1 to ${MAX_PAGE}.`);
}

/** Checks a duration as the configuration writes it; the server reads it. */
export function checkDuration(text: string): string {
  if (Value.Check(DurationSetting, text)) return text;
  throw new InvalidArgumentError(`expected ${DurationSetting.expected}.`);
}

/** Checks a commit's name, or the beginning of it. */
export function checkCommit(text: string): string {
  if (/^[0-9a-f]{7,64}$/i.test(text)) return text.toLowerCase();
  throw new InvalidArgumentError("expected a commit id: at least 7 of its hex digits.");
}

/** Checks a commit's whole name. */
export function checkFullCommit(text: string): string {
  if (/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text)) return text;
  throw new InvalidArgumentError("expected a full commit id: 40 or 64 lower-case hex digits.");
}

/** Checks what is sent in a header as a delivery's id. */
export function checkDeliveryId(text: string): string {
  if (/^[!-~]{1,128}$/.test(text)) return text;
  throw new InvalidArgumentError("expected at most 128 characters of ASCII, without spaces.");
}

/** Checks an IP address. */
export function checkAddress(text: string): string {
  if (isIP(text) !== 0) return text;
  throw new InvalidArgumentError("expected an IP address such as 192.0.2.1 or 2001:db8::1.");
}

/** Checks that something was said at all. */
export function checkWords(text: string): string {
  if (text.trim() !== "") return text;
  throw new InvalidArgumentError("expected some words.");
}
