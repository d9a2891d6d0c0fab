/**
 * What tells whether a delivery came before. Ids and hooks are headers, which nobody signs; the body is signed,
 * so a body that came before under another id is a replay.
 */
export interface Identity {
  /** The sender's own id of the delivery; null when it gave none. */
  readonly id: string | null;
  /** The webhook that it came through; null when the sender does not say. */
  readonly hook: string | null;
}
