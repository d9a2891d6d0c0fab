import type { NotificationChannel, NotificationSettings } from "../domain/notification.ts";
import { type SendLimits, sendPost } from "./post.ts";
import { explainRejection, writeText } from "./slack.ts";

/**
 * Creates a channel that posts one line through a webhook of Discord.
 * Source: https://docs.discord.com/developers/resources/webhook#execute-webhook
 */
export function createDiscordChannel(
  { name, targets, kinds, url }: NotificationSettings,
  limits: SendLimits,
): NotificationChannel {
  return {
    name,
    targets,
    kinds,
    send(notification, deployment) {
      const content = () => writeText(notification, deployment, escapeMarkdown, (text) => `**${text}**`);
      const compose = () => ({
        url: url.reveal(),
        headers: {},
        // Without allowed mentions, `@everyone` in a text mentions nobody.
        body: JSON.stringify({ content: content(), allowed_mentions: { parse: [] } }),
      });
      return sendPost(compose, explainRejection, limits);
    },
  };
}

/** Escapes what formats a text, links it or mentions someone. */
export function escapeMarkdown(text: string): string {
  return text.replaceAll(/[\\*_~`|>#[\]()<:@-]/g, "\\$&");
}
