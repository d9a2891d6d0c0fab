import type { UnreadablePayload } from "../domain/provider.ts";
import { type DecodeResult, decodeJson, decodeUtf8, invalid } from "./json.ts";

/**
 * Decodes the JSON in an `application/x-www-form-urlencoded` body that has the field `name` and no other. Other fields
 * are rejected because the content type is a header, which is not signed: a signed JSON body with text from another
 * person, such as a commit message, could otherwise be read as the form between two `&` in that text.
 */
export function decodeJsonField(body: Uint8Array, name: string): DecodeResult {
  const field = readField(body, name);
  return field.kind === "unreadable" ? field : decodeJson(field.text, `the form's field ${name}`);
}

/** The text of the only field of such a form. */
export function readField(
  body: Uint8Array,
  name: string,
): { readonly kind: "field"; readonly text: string } | UnreadablePayload {
  const form = decodeUtf8(body);
  if (form === null) return invalid("the body is not UTF-8");
  const start = `${name}=`;
  if (!form.startsWith(start)) return invalid(`the form does not begin with the field ${name}`);
  const value = form.slice(start.length);
  if (value.includes("&")) return invalid(`the form has another field besides ${name}`);
  // Stricter than a browser's parser, which accepts a malformed `%`.
  const text = decodeComponent(value);
  if (text === null) return invalid("the form is not percent-encoded UTF-8");
  return { kind: "field", text };
}

function decodeComponent(text: string): string | null {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return null;
  }
}

/** Encodes one field of a form byte by byte, so that a value that is not UTF-8 is sent unchanged. */
export function encodeField(name: string, value: Uint8Array): Uint8Array {
  const encoded = Array.from(value, (byte) => {
    const character = String.fromCharCode(byte);
    return /[\w.*-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  });
  return Buffer.from(`${name}=${encoded.join("")}`);
}
