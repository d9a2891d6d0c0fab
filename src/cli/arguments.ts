import { isIP } from "node:net";
import { Value } from "@sinclair/typebox/value";
import { type Command, InvalidArgumentError } from "commander";
import { parseDeliveryId } from "../domain/delivery.ts";
import { MAX_PAGE } from "../domain/page.ts";
import { DurationSetting } from "../lib/schema.ts";

/** Ends the help of a command with examples. */
export function withExamples(command: Command, ...examples: readonly string[]): Command {
  const lines = examples.map((example) => `\n  ${example}`).join("");
  return command.addHelpText("after", `\nExample${examples.length > 1 ? "s" : ""}:${lines}`);
}

// The parsers below throw an InvalidArgumentError, which commander reports with the name of the option or argument.

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
export function checkDuration(text: string): string {
  return Value.Check(DurationSetting, text) ? text : reject(DurationSetting.expected);
}

/** Checks a commit id that may be abbreviated. */
export function checkCommit(text: string): string {
  return /^[0-9a-f]{7,64}$/i.test(text) ? text.toLowerCase() : reject("a commit id of at least 7 hex digits");
}

/** Checks a full commit id. */
export function checkFullCommit(text: string): string {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text)
    ? text
    : reject("a full commit id of 40 or 64 lower-case hex digits");
}

/** Checks a delivery id, which is sent in a header. */
export function checkDeliveryId(text: string): string {
  return /^[!-~]{1,128}$/.test(text) ? text : reject("at most 128 ASCII characters without spaces");
}

/** Checks an IP address. */
export function checkAddress(text: string): string {
  return isIP(text) !== 0 ? text : reject("an IP address such as 192.0.2.1 or 2001:db8::1");
}

/** Checks that a text is not blank. */
export function checkText(text: string): string {
  return text.trim() === "" ? reject("a text that is not empty") : text;
}

function reject(expected: string): never {
  throw new InvalidArgumentError(`Expected ${expected}.`);
}
