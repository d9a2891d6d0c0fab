import type { NotificationChannel, NotificationSettings, PostSettings } from "../domain/notification.ts";
import type { Target } from "../domain/target.ts";
import { createDiscordChannel } from "./discord.ts";
import { createGithubStatusChannel } from "./github-status.ts";
import type { MessageOptions } from "./message.ts";
import { createSlackChannel } from "./slack.ts";
import { createMailChannel } from "./smtp.ts";
import { createStandardChannel } from "./standard.ts";

/** The options of all channels. */
export interface ChannelOptions {
  /** The server's own address, for receivers; null when it is not known. */
  readonly publicUrl: string | null;
  /** Whether several hosts share the store, so that messages name the host. */
  readonly isShared?: boolean;
  /** Milliseconds that a receiver may take; 15 s by default, and 60 s for a mail server. */
  readonly timeout?: number;
  /** Aborted when the program ends. */
  readonly signal: AbortSignal;
}

/** Creates the channels: one for each `[[notify]]`, and one for each target with a commit status. */
export function createNotificationChannels(
  settings: readonly NotificationSettings[],
  targets: readonly Target[],
  { publicUrl, isShared = false, timeout, signal }: ChannelOptions,
): readonly NotificationChannel[] {
  const limits = { timeout: timeout ?? 15_000, signal, isShared };
  // A mail server may delay its greeting, and examines a message before it accepts it.
  const mailLimits = { timeout: timeout ?? 60_000, signal, isShared };
  const notified = settings.map((setting) =>
    setting.format === "smtp"
      ? createMailChannel(setting, publicUrl, mailLimits)
      : createPostChannel(setting, publicUrl, limits),
  );
  const statuses = targets.flatMap(({ name, repository, commitStatus }) =>
    repository === null || commitStatus === null
      ? []
      : [createGithubStatusChannel(name, repository.fullName, commitStatus, limits)],
  );
  return [...notified, ...statuses];
}

function createPostChannel(
  settings: PostSettings,
  publicUrl: string | null,
  limits: MessageOptions,
): NotificationChannel {
  switch (settings.format) {
    case "slack":
      return createSlackChannel(settings, limits);
    case "discord":
      return createDiscordChannel(settings, limits);
    case "standard":
      return createStandardChannel(settings, publicUrl, limits);
  }
}
