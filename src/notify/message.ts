import { isSkipCode } from "../domain/codes.ts";
import type { Deployment } from "../domain/deployment.ts";
import type { Notification, NotificationKind } from "../domain/notification.ts";
import type { SendLimits } from "./post.ts";

const WORDS: Readonly<Record<NotificationKind, string>> = {
  started: "is being deployed",
  succeeded: "is deployed",
  recovered: "works again",
  failed: "failed",
  cancelled: "was cancelled",
  interrupted: "was interrupted",
};

/** What happened to the target, as the predicate of a sentence. */
export function describeKind({ kind }: Notification, { code }: Deployment): string {
  return isSkipCode(code) ? "was skipped" : WORDS[kind];
}

/** How a channel sends and writes its messages. */
export interface MessageOptions extends SendLimits {
  /** Whether several hosts share the store, so that a message has to name the host; false by default. */
  readonly isShared?: boolean;
}

/** The target, with its host where it is one of several. */
export function nameTarget({ target, host }: Deployment, { isShared = false }: MessageOptions): string {
  return isShared ? `${target} on ${host}` : target;
}

/** The requested commit: pushed, or chosen by a person and perhaps abbreviated; null when the tip was requested. */
export function requestedCommit({ pushedCommit, choice }: Deployment): string | null {
  return pushedCommit ?? (choice?.kind === "commit" ? choice.commit : null);
}
