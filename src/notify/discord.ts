import type { NotificationChannel, PostSettings } from "../domain/notification.ts";
import { createChatChannel } from "./chat.ts";
import type { MessageOptions } from "./message.ts";

/**
 * Creates a channel that posts one line through a webhook of Discord.
 * Source: https://docs.discord.com/developers/resources/webhook#execute-webhook
 */
export function createDiscordChannel(settings: PostSettings, limits: MessageOptions): NotificationChannel {
  return createChatChannel(settings, limits, {
    escapeFor: escapeMarkdown,
    bold: (text) => `**${text}**`,
    // Without allowed mentions, `@everyone` in a text mentions no one.
    toBody: (content) => ({ content, allowed_mentions: { parse: [] } }),
  });
}

/** Escapes what formats a text, links it or mentions someone. */
export function escapeMarkdown(text: string): string {
  return text.replaceAll(/[\\*_~`|>#[\]()<:@-]/g, "\\$&");
}
