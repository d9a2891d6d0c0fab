import { isAscii } from "node:buffer";
import type { UnreadablePayload } from "../domain/provider.ts";

/** JSON text and its value, or why it has none. */
export type DecodeResult =
  | { readonly kind: "decoded"; readonly text: string; readonly value: unknown }
  | UnreadablePayload;

/**
 * Levels of nested arrays and objects. JSON.parse accepts any number of them, but recursive functions that walk the
 * value afterwards, such as JSON.stringify, would overflow the stack. GitHub's payloads have fewer than 20.
 */
const MAX_DEPTH = 200;

// A byte order mark stays in the text, where JSON.parse rejects it (RFC 8259, section 8.1).
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Null when the bytes are not UTF-8. ASCII takes half the time: its text has one byte for each character. */
export function decodeUtf8(bytes: Uint8Array): string | null {
  if (isAscii(bytes)) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}

/** Decodes a JSON body of any sender, which may begin with a byte order mark: a parser may ignore it (RFC 8259, 8.1). */
export function decodeMarkedJsonBody(body: Uint8Array): DecodeResult {
  const hasMark = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf;
  return decodeJsonBody(hasMark ? body.subarray(3) : body);
}

/** Decodes a JSON body, which must be UTF-8. */
export function decodeJsonBody(body: Uint8Array): DecodeResult {
  const text = decodeUtf8(body);
  return text === null ? invalid("the body is not UTF-8") : decodeJson(text, "the body");
}

/**
 * Decodes JSON of a sender. The texts of the value have U+FFFD in place of NUL, as `replaceNul` does it. `name` is that
 * of the text in the reason.
 */
export function decodeJson(text: string, name: string): DecodeResult {
  let value: unknown;
  try {
    value = JSON.parse(text.includes("\\u0000") ? replaceEscapedNul(text) : text);
  } catch {
    return invalid(`${name} is not JSON`);
  }
  if (opensMoreThan(MAX_DEPTH, text) && isDeeperThan(MAX_DEPTH, value)) {
    return invalid(`${name} is nested more than ${MAX_DEPTH} levels deep`);
  }
  return { kind: "decoded", text, value };
}

/** JSON has NUL only as this escape, which may also be part of an escaped backslash and digits. */
function replaceEscapedNul(json: string): string {
  return json.replace(/\\(?:u0000|.)/g, (each) => (each === "\\u0000" ? "\\ufffd" : each));
}

/** A payload that is not UTF-8 or not JSON, or whose headers are malformed. */
export function invalid(reason: string): UnreadablePayload {
  return { kind: "unreadable", code: "invalid_payload", reason };
}

/** Whether the text has more brackets. Most payloads have fewer, and counting is faster than walking the value. */
function opensMoreThan(most: number, text: string): boolean {
  let opened = 0;
  for (const bracket of ["{", "["]) {
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) {
      if (++opened > most) return true;
    }
  }
  return false;
}

function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  return Object.values(value).some((child) => isDeeperThan(levels - 1, child));
}
