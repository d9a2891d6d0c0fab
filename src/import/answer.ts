import { RESERVED_HEADERS } from "../config/source.ts";
import { HEADER_NAME } from "../lib/schema.ts";
import type { Hook } from "./hook.ts";
import type { TomlValue } from "./write-toml.ts";

/** The keys of a source that decide its response. */
export interface WrittenAnswer {
  readonly keys: { readonly [key: string]: TomlValue };
  readonly warnings: readonly string[];
}

/** The longest time that a response may wait. */
const WAIT = "55s";

/** Limits of `response`. */
const MAX_BODY = 65_536;
const VALID_NAME = new RegExp(HEADER_NAME);
const HEADER_VALUE = /^[\x20-\x7e]{0,1024}$/;

/**
 * Writes the response of a hook.
 *
 * @param hasReadingSenders whether the provider allows a response of one's own.
 */
export function writeAnswer(hook: Hook, hasReadingSenders: boolean): WrittenAnswer {
  const {
    "response-message": message = "",
    "response-headers": headers = [],
    "success-http-response-code": code = 0,
    "include-command-output-in-response": includesOutput = false,
  } = hook;
  const used = Object.entries({
    "response-message": message !== "",
    "response-headers": headers.length > 0,
    "success-http-response-code": code !== 0,
    "include-command-output-in-response": includesOutput,
  }).flatMap(([key, isUsed]) => (isUsed ? [key] : []));
  if (used.length === 0) return { keys: {}, warnings: [] };
  if (!hasReadingSenders) {
    return { keys: {}, warnings: [`${list(used)} left out: the sender does not read the response`] };
  }
  if (includesOutput) return writeWait(used.slice(0, -1));
  const warnings: string[] = [];
  const kept = headers.filter(({ name = "", value = "" }) => {
    const isValid =
      VALID_NAME.test(name) && HEADER_VALUE.test(value) && !RESERVED_HEADERS.includes(name.toLowerCase());
    if (!isValid) warnings.push(`the response header ${JSON.stringify(name)} is left out: it cannot be set`);
    return isValid;
  });
  if (code !== 0 && (code < 200 || code > 299)) {
    warnings.push(
      `success-http-response-code ${code}: the response to an accepted delivery is 2xx; it is 200`,
    );
  }
  if (message.length > MAX_BODY)
    warnings.push(`response-message is left out: more than ${MAX_BODY} characters`);
  const status = code >= 200 && code <= 299 ? code : 200;
  const hasBody = message !== "" && message.length <= MAX_BODY && ![204, 205].includes(status);
  return {
    keys: {
      response: {
        status,
        ...(kept.length > 0 && {
          headers: Object.fromEntries(kept.map(({ name = "", value = "" }) => [name, value])),
        }),
        ...(hasBody && { body: message }),
      },
    },
    warnings,
  };
}

function writeWait(others: readonly string[]): WrittenAnswer {
  const warnings = [
    `include-command-output-in-response: the response is JSON, holds the output, and waits ${WAIT} at most`,
    ...(others.length > 0 ? [`${list(others)} left out: the response holds the output instead`] : []),
  ];
  return { keys: { wait: WAIT }, warnings };
}

function list(keys: readonly string[]): string {
  return new Intl.ListFormat("en").format(keys) + (keys.length > 1 ? " are" : " is");
}
