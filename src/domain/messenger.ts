import type { Deployment } from "./deployment.ts";
import type { Notice, Subscriber } from "./notice.ts";
import type { Secret } from "./secret.ts";

/** A message for one subscriber: what to send, and where. */
export interface Post {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** One `[[notify]]`: who is told of what, and how. */
export interface NotifySettings {
  readonly name: string;
  /** Where to post; a secret, because the addresses of chat rooms are. */
  readonly url: Secret;
  /** The key that signs the post (Standard Webhooks); null for formats that sign nothing. */
  readonly secret: Secret | null;
  readonly format: "standard" | "slack";
  readonly on: readonly ("failed" | "recovered" | "succeeded")[];
  /** The names of the targets it is about; null for all. */
  readonly targets: readonly string[] | null;
}

/** What became of a post. */
export type PostOutcome =
  | { readonly kind: "taken" }
  /** It may be tried again; the reason is safe to log. */
  | { readonly kind: "failed"; readonly reason: string }
  /** It will never be taken: the other end says so (410 Gone, or a refusal of what was sent). */
  | { readonly kind: "refused"; readonly reason: string };

/** Somebody who is told of deployments, with what it takes to tell. */
export interface Messenger extends Subscriber {
  /** Tells it once. Never rejects. Slow ones are given up after some seconds. */
  tell(notice: Notice, deployment: Deployment, now: Date): Promise<PostOutcome>;
}
