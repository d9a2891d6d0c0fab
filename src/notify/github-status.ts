import type { Deployment } from "../domain/deployment.ts";
import type {
  Notification,
  NotificationChannel,
  NotificationKind,
  SendOutcome,
} from "../domain/notification.ts";
import type { CommitStatus } from "../domain/target.ts";
import { shortenCommit, toOneLine } from "../lib/text.ts";
import { type Patience, type Refusal, requestedCommit, sendPost } from "./post.ts";

interface Status {
  readonly commit: string;
  readonly state: "pending" | "success" | "failure" | "error";
  readonly description: string;
}

/**
 * Tells GitHub how a commit of `repository` (`owner/name`) fared, as its commit status `hooklatch/<target>`.
 * Source: https://docs.github.com/en/rest/commits/statuses#create-a-commit-status
 */
export function createGithubStatusChannel(
  target: string,
  repository: string,
  { token, apiUrl }: CommitStatus,
  patience: Patience,
): NotificationChannel {
  const address = `${apiUrl.replace(/\/+$/, "")}/repos/${repository.split("/").map(encodeURIComponent).join("/")}`;
  const refusal = explainRefusal(repository);

  async function tellOne({ commit, state, description }: Status): Promise<SendOutcome> {
    const compose = () => ({
      url: `${address}/statuses/${commit}`,
      headers: {
        accept: "application/vnd.github+json",
        authorization: `Bearer ${token.reveal()}`,
        "content-type": "application/json",
        "user-agent": "hooklatch",
        "x-github-api-version": "2022-11-28",
      },
      body: JSON.stringify({
        state,
        context: `hooklatch/${target}`,
        description: toOneLine(description, 140),
      }),
    });
    return sendPost(compose, refusal, patience);
  }

  return {
    name: `commit status of ${target}`,
    targets: [target],
    kinds: ["started", "succeeded", "failed", "cancelled", "interrupted"],
    async send(notice, deployment) {
      for (const status of chooseStatuses(notice, deployment)) {
        const outcome = await tellOne(status);
        // Told again from the first: GitHub shows a commit's newest status, so that one told twice does no harm.
        if (outcome.kind !== "taken") return outcome;
      }
      return { kind: "taken" };
    },
  };
}

/**
 * The start is told at the commit that was asked for. The end is told at the commit that was deployed and, where
 * another was asked for, also there, so that no commit stays pending for ever.
 */
function chooseStatuses({ kind }: Notification, deployment: Deployment): readonly Status[] {
  const asked = onlyFull(requestedCommit(deployment));
  if (kind === "started") {
    return asked === null ? [] : [{ commit: asked, state: "pending", description: "deploying" }];
  }
  const deployed = onlyFull(deployment.commit);
  const state = endState(kind, deployment);
  const statuses: Status[] = [];
  if (deployed !== null) {
    statuses.push({ commit: deployed, state, description: describeEnd(kind, deployment, null) });
  }
  if (asked !== null && asked !== deployed) {
    statuses.push({ commit: asked, state, description: describeEnd(kind, deployment, deployed) });
  }
  return statuses;
}

/** A status hangs on a whole object name; what a person chose may be the beginning of one. */
function onlyFull(commit: string | null): string | null {
  return commit !== null && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(commit) ? commit : null;
}

function endState(news: NotificationKind, deployment: Deployment): Status["state"] {
  if (news === "succeeded" || news === "recovered" || wasSkipped(news, deployment)) return "success";
  return news === "failed" ? "failure" : "error";
}

/** Nothing had to be done for it, which is no reason to hold up whoever waits for the status. */
function wasSkipped(news: NotificationKind, { reason }: Deployment): boolean {
  return news === "cancelled" && reason?.startsWith("skipped:") === true;
}

/** @param instead what was deployed in place of the commit that reads this; null where it was that commit itself. */
function describeEnd(news: NotificationKind, deployment: Deployment, instead: string | null): string {
  const { reason } = deployment;
  if (reason !== null && wasSkipped(news, deployment)) return reason;
  const outcome = news === "succeeded" || news === "recovered" ? "deployed" : news;
  const what = instead === null ? outcome : `${outcome} with ${shortenCommit(instead)}`;
  return reason === null ? what : `${what}: ${reason}`;
}

/** Says what to check, answer by answer. A limit on requests passes, and so do GitHub's own troubles. */
function explainRefusal(repository: string): Refusal {
  return (status, headers) => {
    if (status >= 300 && status < 400) return `was ${repository} renamed? configure its current name`;
    switch (status) {
      case 401:
        return "check that the token is right and has not expired";
      case 403:
        return isRateLimited(headers) ? null : `the token may not write commit statuses of ${repository}`;
      case 404:
        return `check that ${repository} exists and that the token may write its commit statuses`;
      case 410:
        return `${repository} no longer exists`;
      case 422:
        return `check that the commit is in ${repository} and has fewer than 1000 statuses`;
      default:
        return null;
    }
  };
}

/** Source: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit */
function isRateLimited(headers: Headers): boolean {
  return headers.has("retry-after") || headers.get("x-ratelimit-remaining") === "0";
}
