import type { Messenger, NotifySettings } from "../domain/messenger.ts";
import type { Target } from "../domain/target.ts";
import { createStatusMessenger } from "./github-status.ts";
import { createSlackMessenger } from "./slack.ts";
import { createStandardMessenger } from "./standard.ts";

/** What messengers need beside their own settings. */
export interface MessengerOptions {
  /** Our own address, as receivers are told; null when it is not known. */
  readonly publicUrl: string | null;
  /** Milliseconds until a slow receiver is given up; 15 s when left out. */
  readonly timeout?: number;
  /** Aborted when nobody waits for receivers any more. */
  readonly signal: AbortSignal;
}

/** Those who are told of deployments: one for each `[[notify]]`, and one for each target with a commit status. */
export function createMessengers(
  settings: readonly NotifySettings[],
  targets: readonly Target[],
  { publicUrl, timeout = 15_000, signal }: MessengerOptions,
): readonly Messenger[] {
  const patience = { timeout, signal };
  const notified = settings.map((setting) =>
    setting.format === "slack"
      ? createSlackMessenger(setting, patience)
      : createStandardMessenger(setting, publicUrl, patience),
  );
  const statuses = targets.flatMap(({ name, watch, commitStatus }) =>
    watch === null || commitStatus === null
      ? []
      : [createStatusMessenger(name, watch.repository, commitStatus, patience)],
  );
  return [...notified, ...statuses];
}
