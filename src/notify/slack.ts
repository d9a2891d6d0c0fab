import type { NotificationChannel, PostSettings } from "../domain/notification.ts";
import { createChatChannel } from "./chat.ts";
import type { MessageOptions } from "./message.ts";

/**
 * Creates a channel that posts one line to a chat room, in the format that the incoming webhooks of Slack, Mattermost
 * and Discord (with `/slack` after their address) all accept.
 * Source: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
 */
export function createSlackChannel(settings: PostSettings, limits: MessageOptions): NotificationChannel {
  return createChatChannel(settings, limits, {
    escapeFor: escapeText,
    bold: (text) => `*${text}*`,
    toBody: (text) => ({ text }),
  });
}

/**
 * Escapes untrusted text so that it mentions no one and formats nothing in any of the three chats. `&`, `<` and `>` are
 * escaped as Slack documents it, which disables its `<!channel>` and `<address|text>`. There is no common escape for
 * what begins a mention, an emphasis, code, a spoiler or a link's address; these characters are written in their
 * fullwidth form. A `_` within a word formats nothing and stays.
 * Source: https://docs.slack.dev/messaging/formatting-message-text
 */
export function escapeText(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll(/[@*~`]|\|{2,}|(?<=\])\(|(?<![\p{L}\p{N}])_+|_+(?![\p{L}\p{N}])/gu, widen);
}

/** U+FF01 to U+FF5E are the fullwidth forms of the characters `!` to `~`, in the same order. */
function widen(ascii: string): string {
  return [...ascii].map((character) => String.fromCharCode(character.charCodeAt(0) + 0xfee0)).join("");
}
