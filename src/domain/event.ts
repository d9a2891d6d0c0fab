/** The content of a delivery in terms that do not depend on the provider. */
export type Event = PingEvent | PushEvent | CiEvent | ReleaseEvent | OtherEvent;

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

/** An event by the provider's name. */
interface NamedEvent {
  /** The provider's name of the event, such as `issues`; `payload` where it has none. */
  readonly name: string;
  /** What happened, such as `published`, where the provider says it. */
  readonly action?: string;
  /** The repository that it is about, as `owner/name`, where the provider says it. */
  readonly repository?: string;
}

/** CI began or ended for a commit. Only targets that wait for CI, or whose `events` name it, are deployed by it. */
export interface CiEvent extends NamedEvent {
  readonly kind: "ci";
  readonly repository: string;
  /** The short names of the branches or tags of the repository that it ran for; null where the forge does not say. */
  readonly refs: readonly string[] | null;
  /** 40 or 64 hex digits. */
  readonly commit: string;
  /** The names of the workflow, pipeline or status, the one to show first. */
  readonly workflows: readonly string[];
  readonly outcome: CiOutcome;
  readonly cause: CiCause;
  readonly run: CiRun;
}

/** `other` is an end without a result, such as a skipped workflow. */
export type CiOutcome = "success" | "failure" | "pending" | "other";

/**
 * What CI ran for: a `push`; a `request` by a person, a schedule or an API, for a commit of the repository; or something
 * `foreign`, such as a pull request, whose result is not that of the commit or whose author may be anyone. `unknown` where
 * the forge does not say.
 */
export type CiCause = "push" | "request" | "foreign" | "unknown";

/** Identifies a run, to tell which result of a commit is the latest. */
export interface CiRun {
  /** The same for all results of one workflow, pipeline or status. */
  readonly check: string;
  /** Increases with each run. */
  readonly number: number;
  /** Increases when the run is repeated. */
  readonly attempt: number;
}

/** A release was published. */
export interface ReleaseEvent extends NamedEvent {
  readonly kind: "release";
}

/** Any other event: stored, and run by targets without a repository. */
export interface OtherEvent extends NamedEvent {
  readonly kind: "other";
}

/** The name of an event in `events` and `HOOKLATCH_EVENT`. A push of every forge is a `push`. */
export function nameOf(event: Event): string {
  return event.kind === "ping" || event.kind === "push" ? event.kind : event.name;
}

/** The action of an event; null where it has none. */
export function actionOf(event: Event): string | null {
  return event.kind === "ping" || event.kind === "push" ? null : (event.action ?? null);
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
