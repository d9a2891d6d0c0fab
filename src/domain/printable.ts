/**
 * Escapes what a terminal or a reader's eye would take for something else: C1 controls, zero-width and
 * bidirectional characters (a branch name may hold U+202E) and the Unicode line separators. Inside a JSON
 * string the escapes mean the same characters.
 */
export function escapeInvisible(text: string): string {
  return text.replace(
    /[\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/**
 * Puts valid JSON on one line that is safe to print. Nothing is parsed: numbers beyond 2^53, repeated keys and
 * the keys' order stay as they were sent.
 */
export function putOnOneLine(json: string): string {
  return escapeInvisible(json.replace(/("(?:[^"\\]|\\.)*")|[ \t\r\n]+/g, "$1"));
}
