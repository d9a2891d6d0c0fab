import { isSkipCode } from "../domain/codes.ts";
import type { Deployment } from "../domain/deployment.ts";
import type { Notification, NotificationKind } from "../domain/notification.ts";

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

/** The requested commit: pushed, or chosen by a person and perhaps abbreviated; null when the tip was requested. */
export function requestedCommit({ pushedCommit, choice }: Deployment): string | null {
  return pushedCommit ?? (choice?.kind === "commit" ? choice.commit : null);
}
