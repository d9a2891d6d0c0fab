/** JSON as it came and as it was understood, or why it was not. */
export type Decoded =
  | { readonly ok: true; readonly text: string; readonly value: unknown }
  | { readonly ok: false; readonly reason: string };

/**
 * Levels of arrays and objects within each other. JSON.parse takes any number of them, but whatever walks the
 * value afterwards (JSON.stringify to begin with) runs out of stack. GitHub's payloads have fewer than 20.
 */
const DEEPEST = 200;

// A byte order mark stays in the text, where JSON.parse refuses it: RFC 8259, section 8.1.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes to text; null when they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}

/** A request's body as JSON. */
export function decodeJsonBody(body: Uint8Array): Decoded {
  const text = decodeUtf8(body);
  return text === null ? { ok: false, reason: "the body is not UTF-8" } : decodeJson(text, "the body");
}

/** JSON text to its value; `what` names the text in the reason. */
export function decodeJson(text: string, what: string): Decoded {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, reason: `${what} is not JSON` };
  }
  if (opensMoreThan(DEEPEST, text) && isDeeperThan(DEEPEST, value))
    return { ok: false, reason: `${what} is nested more than ${DEEPEST} levels deep` };
  return { ok: true, text, value };
}

/** Whether there are more brackets than that: most payloads have fewer, and to count is a fraction of a walk's time. */
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
  const children: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
  return children.some((child) => isDeeperThan(levels - 1, child));
}
