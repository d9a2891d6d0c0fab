import { type Decoded, decodeJson, decodeUtf8 } from "./json.ts";

/**
 * The JSON in the one field `name` of an `application/x-www-form-urlencoded` body. Stricter than a browser's
 * parser, which mends what is broken: a wrong `%` or a second field of that name is refused.
 */
export function decodeJsonField(body: Uint8Array, name: string): Decoded {
  const form = decodeUtf8(body);
  if (form === null) return { ok: false, reason: "the body is not UTF-8" };
  const values: string[] = [];
  for (const pair of form.split("&")) {
    const [, key = "", value = ""] = /^([^=]*)=?(.*)$/s.exec(pair) ?? [];
    const [plainKey, plainValue] = [decodeComponent(key), decodeComponent(value)];
    if (plainKey === null || plainValue === null)
      return { ok: false, reason: "the form is not percent-encoded UTF-8" };
    if (plainKey === name) values.push(plainValue);
  }
  const [first, ...others] = values;
  if (first === undefined) return { ok: false, reason: `the form has no field ${name}` };
  if (others.length > 0) return { ok: false, reason: `the form has more than one field ${name}` };
  return decodeJson(first, `the form's field ${name}`);
}

function decodeComponent(text: string): string | null {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return null;
  }
}

/** One field of a form, percent-encoded byte by byte, so that what is not UTF-8 is sent as it is. */
export function encodeField(name: string, value: Uint8Array): Uint8Array {
  const written = Array.from(value, (byte) => {
    const character = String.fromCharCode(byte);
    return /[\w.*-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  });
  return Buffer.from(`${name}=${written.join("")}`);
}
