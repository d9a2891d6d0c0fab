/** The content of a delivery in terms that do not depend on the provider. */
export type Event = PingEvent | PushEvent | OtherEvent;

/** What one delivery says. */
export type Events = readonly [Event, ...Event[]];

/** The sender tests whether the source responds. */
export interface PingEvent {
  readonly kind: "ping";
}

/** A branch or tag of a repository was created, moved or deleted. */
export interface PushEvent {
  readonly kind: "push";
  /** `owner/name` as the sender writes it; compared without regard to case. */
  readonly repository: string;
  readonly ref: Ref;
  /** Whether the ref was deleted. */
  readonly deleted: boolean;
  /** The pushed commit, 40 or 64 hex digits; null when the ref was deleted or the sender does not say. */
  readonly commit: string | null;
  /** Whether the forge tests the webhook: the old and the new commit are the same, or both are zeros. */
  readonly unchanged?: boolean;
  /** Whether the message of the tip asks to skip the deployment, see {@link asksToSkip}. */
  readonly skip: boolean;
}

/** Any other event: stored, and run by targets without a repository. */
export interface OtherEvent {
  readonly kind: "other";
  /** The provider's name of the event, such as `issues`; `payload` where it has none. */
  readonly name: string;
  /** What happened, such as `published`, where the provider says it. */
  readonly action?: string;
  /** The repository that it is about, as `owner/name`, where the provider says it. */
  readonly repository?: string;
}

/** The name of an event in `events` and `HOOKLATCH_EVENT`. A push of every forge is a `push`. */
export function nameOf(event: Event): string {
  return event.kind === "other" ? event.name : event.kind;
}

/** The action of an event; null where it has none. */
export function actionOf(event: Event): string | null {
  return event.kind === "other" ? (event.action ?? null) : null;
}

/** A full git ref name in parts. `name` is untrusted text and never part of a command line. */
export interface Ref {
  readonly kind: "branch" | "tag" | "other";
  /** Without `refs/heads/` or `refs/tags/`; the full name for any other ref. */
  readonly name: string;
}

/**
 * Splits a full ref name. The prefix is removed once, from the start: branch names contain `/`, and
 * `refs/heads/a/refs/heads/b` is a legal ref (git-check-ref-format(1)).
 */
export function parseRef(full: string): Ref {
  if (full.startsWith("refs/heads/")) return { kind: "branch", name: full.slice("refs/heads/".length) };
  if (full.startsWith("refs/tags/")) return { kind: "tag", name: full.slice("refs/tags/".length) };
  return { kind: "other", name: full };
}

/** Whether a commit's message contains `[skip deploy]` or `[deploy skip]`, in any case. */
export function asksToSkip(message: string): boolean {
  return /\[(?:skip deploy|deploy skip)\]/i.test(message);
}

/** Whether an object name is git's null object name: 40 zeros, or 64 in a SHA-256 repository. */
export function isZeroCommit(commit: string): boolean {
  return /^0{40}(?:0{24})?$/.test(commit);
}
