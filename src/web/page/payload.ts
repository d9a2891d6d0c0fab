/** The payload of a delivery as a value, or why there is none. */
export type Payload = { readonly kind: "json"; readonly value: unknown } | { readonly kind: "text" };

/** Decodes a stored body: JSON, or the JSON text of the form field `payload`, as GitHub sends it. */
export function decodePayload(body: string, contentType: string): Payload {
  const texts = [body.replace(/^\ufeff/, "")];
  if (/^application\/x-www-form-urlencoded/i.test(contentType)) {
    texts.unshift(new URLSearchParams(body).get("payload") ?? "");
  }
  for (const text of texts) {
    try {
      return { kind: "json", value: JSON.parse(text) };
    } catch {
      // The next text, or none: the body is shown as it is.
    }
  }
  return { kind: "text" };
}
