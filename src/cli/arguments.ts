import { isIP } from "node:net";
import { Value } from "@sinclair/typebox/value";
import { InvalidArgumentError } from "commander";
import { parseDeliveryId } from "../domain/delivery.ts";
import { MAX_PAGE } from "../domain/page.ts";
import { DurationSetting } from "../lib/schema.ts";

/** Parses the number of a delivery, a deployment or a client. */
export function parseId(text: string): number {
  return parseDeliveryId(text) ?? reject("a whole number from 1");
}

/** Parses the number of items on a page. */
export function parseLimit(text: string): number {
  const limit = parseDeliveryId(text);
  return limit !== null && limit <= MAX_PAGE ? limit : reject(`a whole number from 1 to ${MAX_PAGE}`);
}

/** Checks a duration as the configuration writes it. The server parses it. */
export const checkDuration = textParser(
  (text) => Value.Check(DurationSetting, text),
  DurationSetting.expected,
);

/** Checks a commit id that may be abbreviated. */
export const checkCommit = textParser(/^[0-9a-f]{7,64}$/i, "a commit id of at least 7 hex digits");

/** Checks a full commit id. */
export const checkFullCommit = textParser(
  /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/,
  "a full commit id of 40 or 64 lower-case hex digits",
);

/** Checks a delivery id, which is sent in a header. */
export const checkDeliveryId = textParser(/^[!-~]{1,128}$/, "at most 128 ASCII characters without spaces");

/** Checks an IP address. */
export const checkAddress = textParser(
  (text) => isIP(text) !== 0,
  "an IP address such as 192.0.2.1 or 2001:db8::1",
);

/** Checks that a text is not blank. */
export const checkText = textParser(/\S/, "a text that is not empty");

/** Creates a parser that returns a valid text unchanged. */
function textParser(rule: RegExp | ((text: string) => boolean), expected: string): (text: string) => string {
  return (text) => {
    const isValid = typeof rule === "function" ? rule(text) : rule.test(text);
    return isValid ? text : reject(expected);
  };
}

/** commander adds the name of the option or argument. */
function reject(expected: string): never {
  throw new InvalidArgumentError(`Expected ${expected}.`);
}
