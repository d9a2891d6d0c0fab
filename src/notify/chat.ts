import type { Deployment } from "../domain/deployment.ts";
import { describeResult } from "../domain/deployment-result.ts";
import type { Notification, NotificationChannel, PostSettings } from "../domain/notification.ts";
import { shortenCommit, toOneLine } from "../lib/text.ts";
import { describeKind, type MessageOptions, nameTarget, requestedCommit } from "./message.ts";
import { type ExplainRejection, sendPost } from "./post.ts";

/** How a chat formats its messages, and the JSON that its webhooks take. */
export interface ChatFormat {
  /** Makes untrusted text harmless in the chat. */
  readonly escapeFor: (text: string) => string;
  /** Formats escaped text. */
  readonly bold: (text: string) => string;
  readonly toBody: (message: string) => unknown;
}

/** Creates a channel that posts one line to a chat room through an incoming webhook. */
export function createChatChannel(
  { name, targets, kinds, url }: PostSettings,
  limits: MessageOptions,
  format: ChatFormat,
): NotificationChannel {
  return {
    name,
    targets,
    kinds,
    send(notification, deployment) {
      const compose = () => ({
        url: url.reveal(),
        headers: {},
        body: JSON.stringify(format.toBody(writeText(notification, deployment, format, limits))),
      });
      return sendPost(compose, explainRejection, limits);
    },
  };
}

/** A webhook that was removed, or whose chat channel was archived, does not return. */
const explainRejection: ExplainRejection = (status) =>
  [403, 404, 410].includes(status) ? "the chat's webhook is removed or disabled; create a new one" : null;

/** Discord accepts 2000 characters, and the longest escape is `&amp;`: even a reason of nothing but `&` fits. */
const MAX_REASON = 300;
const MAX_BRANCH = 60;
const MAX_TEXT = 2000;
const MAX_SUBJECT = 80;
const MAX_AUTHOR = 40;

/**
 * The message as one line of at most 2000 characters, which is Discord's limit. The subject of the commit, its author
 * and the address of its page are left out where they would exceed the limit.
 */
function writeText(
  notification: Notification,
  deployment: Deployment,
  { escapeFor, bold }: ChatFormat,
  options: MessageOptions,
): string {
  const { id, trigger, branch } = deployment;
  const commit = deployment.commit ?? requestedCommit(deployment);
  const place = [branch && toOneLine(branch, MAX_BRANCH), commit && shortenCommit(commit)];
  const facts = [`deployment ${id}`, trigger === "push" ? "" : trigger, place.filter(Boolean).join(" ")];
  const reason = describeResult(deployment);
  const why = reason === null ? "" : `: ${escapeFor(toOneLine(reason, MAX_REASON))}`;
  const what = describeKind(notification, deployment);
  const text = `${bold(escapeFor(nameTarget(deployment, options)))} ${what}${why} (${escapeFor(facts.filter(Boolean).join(", "))})`;
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
