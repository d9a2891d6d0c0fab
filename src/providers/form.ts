import { type Decoded, decodeJson, decodeUtf8 } from "./json.ts";

/**
 * The JSON in an `application/x-www-form-urlencoded` body that is the one field `name` and nothing else. Other
 * fields are refused, because a content type is a header and not signed: a signed JSON body whose text somebody
 * else could choose, a commit's message say, would else be read as the form that stands between two `&` in it.
 */
export function decodeJsonField(body: Uint8Array, name: string): Decoded {
  const form = decodeUtf8(body);
  if (form === null) return { ok: false, reason: "the body is not UTF-8" };
  const start = `${name}=`;
  if (!form.startsWith(start)) return { ok: false, reason: `the form does not begin with the field ${name}` };
  const value = form.slice(start.length);
  if (value.includes("&")) return { ok: false, reason: `the form has another field beside ${name}` };
  // Stricter than a browser's parser, which mends a wrong `%`.
  const text = decodeComponent(value);
  if (text === null) return { ok: false, reason: "the form is not percent-encoded UTF-8" };
  return decodeJson(text, `the form's field ${name}`);
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
