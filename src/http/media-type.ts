/** Events as they come (HTML standard, "Server-sent events"). */
export const EVENT_STREAM = "text/event-stream";

/** How a `charset` may name UTF-8. */
const UTF8 = ["utf-8", '"utf-8"', "utf8", '"utf8"'];

/**
 * Whether a Content-Type header names one of `accepted`, in UTF-8: parameters are allowed, and a `charset`
 * other than UTF-8 is not (RFC 9110, section 8.3; JSON is UTF-8 by RFC 8259).
 */
export function isAcceptedMediaType(header: string | null, accepted: readonly string[]): boolean {
  const [type = "", ...parameters] = (header ?? "").toLowerCase().split(";");
  if (!accepted.includes(type.trim())) return false;
  return parameters
    .map((parameter) => /^\s*charset\s*=\s*(.*?)\s*$/.exec(parameter)?.[1])
    .every((charset) => charset === undefined || UTF8.includes(charset));
}
