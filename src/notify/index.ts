import type { NotificationChannel, NotificationSettings } from "../domain/notification.ts";
import type { Target } from "../domain/target.ts";
import { createGithubStatusChannel } from "./github-status.ts";
import { createSlackChannel } from "./slack.ts";
import { createStandardChannel } from "./standard.ts";

/** What channels need besides their own settings. */
export interface ChannelOptions {
  /** The server's own address, for receivers; null when it is not known. */
  readonly publicUrl: string | null;
  /** Milliseconds until a slow receiver is given up; 15 s when left out. */
  readonly timeout?: number;
  /** Aborted when nobody waits for receivers any more. */
  readonly signal: AbortSignal;
}

/** Creates the channels: one for each `[[notify]]`, and one for each target with a commit status. */
export function createNotificationChannels(
  settings: readonly NotificationSettings[],
  targets: readonly Target[],
  { publicUrl, timeout = 15_000, signal }: ChannelOptions,
): readonly NotificationChannel[] {
  const patience = { timeout, signal };
  const notified = settings.map((setting) =>
    setting.format === "slack"
      ? createSlackChannel(setting, patience)
      : createStandardChannel(setting, publicUrl, patience),
  );
  const statuses = targets.flatMap(({ name, repository, commitStatus }) =>
    repository === null || commitStatus === null
      ? []
      : [createGithubStatusChannel(name, repository.fullName, commitStatus, patience)],
  );
  return [...notified, ...statuses];
}
