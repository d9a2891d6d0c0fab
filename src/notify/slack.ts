import { isSkipCode } from "../domain/codes.ts";
import type { Deployment } from "../domain/deployment.ts";
import { describeResult } from "../domain/deployment-result.ts";
import type {
  Notification,
  NotificationChannel,
  NotificationKind,
  NotificationSettings,
} from "../domain/notification.ts";
import { shortenCommit, toOneLine } from "../lib/text.ts";
import { type ExplainRejection, requestedCommit, type SendLimits, sendPost } from "./post.ts";

/**
 * Creates a channel that posts one line to a chat room, in the format that the incoming webhooks of Slack, Mattermost
 * and Discord (with `/slack` after their address) all accept.
 * Source: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
 */
export function createSlackChannel(
  { name, targets, kinds, url }: NotificationSettings,
  limits: SendLimits,
): NotificationChannel {
  return {
    name,
    targets,
    kinds,
    send(notification, deployment) {
      const compose = () => ({
        url: url.reveal(),
        headers: {},
        body: JSON.stringify({
          text: writeText(notification, deployment, escapeText, (text) => `*${text}*`),
        }),
      });
      return sendPost(compose, explainRejection, limits);
    },
  };
}

/** A webhook that was removed, or whose chat channel was archived, does not return. */
export const explainRejection: ExplainRejection = (status) =>
  [403, 404, 410].includes(status) ? "the chat's webhook is removed or disabled; create a new one" : null;

const WORDS: Readonly<Record<NotificationKind, string>> = {
  started: "is being deployed",
  succeeded: "is deployed",
  recovered: "works again",
  failed: "failed",
  cancelled: "was cancelled",
  interrupted: "was interrupted",
};

/** Discord accepts 2000 characters, and the longest escape is `&amp;`: even a reason of nothing but `&` fits. */
const MAX_REASON = 300;
const MAX_BRANCH = 60;
const MAX_TEXT = 2000;
const MAX_SUBJECT = 80;
const MAX_AUTHOR = 40;

/**
 * The message as one line of at most 2000 characters, which is Discord's limit. `escapeFor` makes untrusted text harmless in
 * the chat, and `bold` formats what it escaped. The subject of the commit, its author and the address of its page are left
 * out where they would exceed the limit.
 */
export function writeText(
  { kind }: Notification,
  deployment: Deployment,
  escapeFor: (text: string) => string,
  bold: (text: string) => string,
): string {
  const { id, target, code, trigger, branch } = deployment;
  const commit = deployment.commit ?? requestedCommit(deployment);
  const place = [branch && toOneLine(branch, MAX_BRANCH), commit && shortenCommit(commit)];
  const facts = [`deployment ${id}`, trigger === "push" ? "" : trigger, place.filter(Boolean).join(" ")];
  const reason = describeResult(deployment);
  const why = reason === null ? "" : `: ${escapeFor(toOneLine(reason, MAX_REASON))}`;
  const what = isSkipCode(code) ? "was skipped" : WORDS[kind];
  const text = `${bold(escapeFor(target))} ${what}${why} (${escapeFor(facts.filter(Boolean).join(", "))})`;
  const full = `${text}${writeCommit(deployment, escapeFor)}`;
  return full.length <= MAX_TEXT ? full : text;
}

function writeCommit(
  { subject, author, commitUrl }: Deployment,
  escapeFor: (text: string) => string,
): string {
  const by = author === null ? "" : ` by ${escapeFor(toOneLine(author, MAX_AUTHOR))}`;
  const what = subject === null ? "" : `: ${escapeFor(toOneLine(subject, MAX_SUBJECT))}${by}`;
  // The configuration and the commit's hex digits make the address, so that it needs no escape.
  return `${what}${commitUrl === null ? "" : ` ${commitUrl}`}`;
}

/**
 * Escapes untrusted text so that it mentions nobody and formats nothing in any of the three chats. `&`, `<` and `>` are
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
