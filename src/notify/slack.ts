import { shortenCommit } from "../domain/commit.ts";
import type { Deployment } from "../domain/deployment.ts";
import type { Messenger, NotifySettings } from "../domain/messenger.ts";
import type { News, Notice } from "../domain/notice.ts";
import { oneLine } from "../domain/one-line.ts";
import { commitAskedFor } from "./commits.ts";
import { type Patience, type Refusal, sendPost } from "./post.ts";

/**
 * Tells a chat room in one line, in the form that Slack's incoming webhooks, Mattermost's, and Discord's (with `/slack`
 * after their address) all take.
 * Source: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
 */
export function createSlackMessenger(
  { name, targets, on, url }: NotifySettings,
  patience: Patience,
): Messenger {
  return {
    name,
    targets,
    on,
    tell(notice, deployment) {
      const compose = () => ({
        url: url.reveal(),
        headers: { "content-type": "application/json", "user-agent": "hooklatch" },
        body: JSON.stringify({ text: writeText(notice, deployment) }),
      });
      return sendPost(compose, refusal, patience);
    },
  };
}

/** A hook that was removed, or whose channel was archived, does not come back. */
const refusal: Refusal = (status) =>
  [403, 404, 410].includes(status) ? "the chat's hook is gone or blocked; make a new one" : null;

const WORDS: Readonly<Record<News, string>> = {
  started: "is being deployed",
  succeeded: "is deployed",
  recovered: "works again",
  failed: "failed",
  cancelled: "was cancelled",
  interrupted: "was interrupted",
};

/** Discord takes 2000 characters, and the longest escape is `&amp;`: even a reason of nothing but `&` fits. */
const MAX_REASON = 300;
const MAX_BRANCH = 60;

function writeText({ news }: Notice, deployment: Deployment): string {
  const { id, target, reason, trigger, branch } = deployment;
  const commit = deployment.commit ?? commitAskedFor(deployment);
  const place = [
    branch === null ? null : oneLine(branch, MAX_BRANCH),
    commit === null ? null : shortenCommit(commit),
  ];
  const facts = [`deployment ${id}`, trigger === "push" ? "" : trigger, place.filter(Boolean).join(" ")];
  const why = reason === null ? "" : `: ${escapeText(oneLine(reason, MAX_REASON))}`;
  return `*${escapeText(target)}* ${WORDS[news]}${why} (${escapeText(facts.filter(Boolean).join(", "))})`;
}

/**
 * Text of unknown origin that calls nobody and formats nothing, whichever of the three shows it. `&`, `<` and `>` are
 * escaped as Slack wants, which undoes its `<!channel>` and `<address|text>`. There is no escape that all three know
 * for the rest, so that what begins a mention, an emphasis, code, a spoiler or a link's address is written in its
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

/** U+FF01 to U+FF5E are the fullwidth forms of the characters `!` to `~`, in their order. */
function widen(ascii: string): string {
  return [...ascii].map((character) => String.fromCharCode(character.charCodeAt(0) + 0xfee0)).join("");
}
