import { isSkipCode } from "../domain/codes.ts";
import type { Deployment } from "../domain/deployment.ts";
import { describeResult } from "../domain/deployment-result.ts";
import type { Notification, NotificationChannel, NotificationKind } from "../domain/notification.ts";
import type { CommitStatus } from "../domain/target.ts";
import { shortenCommit, toOneLine } from "../lib/text.ts";
import { type MessageOptions, requestedCommit } from "./message.ts";
import { type ExplainRejection, sendPost } from "./post.ts";

interface Status {
  readonly commit: string;
  readonly state: "pending" | "success" | "failure" | "error";
  readonly description: string;
}

/**
 * Creates the channel that sets a commit's status `hooklatch/<target>`, or `hooklatch/<target>/<host>` with several hosts, in `repository` (`owner/name`) on GitHub.
 * Source: https://docs.github.com/en/rest/commits/statuses#create-a-commit-status
 */
export function createGithubStatusChannel(
  target: string,
  repository: string,
  { token, apiUrl }: CommitStatus,
  limits: MessageOptions,
): NotificationChannel {
  const path = repository.split("/").map(encodeURIComponent).join("/");
  const address = `${apiUrl.replace(/\/+$/, "")}/repos/${path}/statuses`;
  const explainRejection = createRejectionExplainer(repository);
  const compose = ({ commit, state, description }: Status, { host }: Deployment) => ({
    url: `${address}/${commit}`,
    headers: {
      accept: "application/vnd.github+json",
      authorization: `Bearer ${token.reveal()}`,
      "x-github-api-version": "2022-11-28",
    },
    body: JSON.stringify({
      state,
      // One for each host: the newest status of a context hides the others.
      context: limits.isShared ? `hooklatch/${target}/${host}` : `hooklatch/${target}`,
      description: toOneLine(description, 140),
    }),
  });
  return {
    name: `commit status of ${target}`,
    targets: [target],
    kinds: ["started", "succeeded", "failed", "cancelled", "interrupted"],
    async send(notification, deployment) {
      for (const status of chooseStatuses(notification, deployment)) {
        const outcome = await sendPost(() => compose(status, deployment), explainRejection, limits);
        // The next attempt repeats the first status too: GitHub shows a commit's newest one.
        if (outcome.kind !== "taken") return outcome;
      }
      return { kind: "taken" };
    },
  };
}

/**
 * The start is set at the requested commit. The end is set at the deployed commit and, when another was requested, also
 * there, so that no commit stays pending.
 */
function chooseStatuses({ kind }: Notification, deployment: Deployment): readonly Status[] {
  const requested = onlyFull(requestedCommit(deployment));
  if (kind === "started") {
    return requested === null ? [] : [{ commit: requested, state: "pending", description: "deploying" }];
  }
  const deployed = onlyFull(deployment.commit);
  const state = endState(kind, deployment);
  const statuses: Status[] = [];
  if (deployed !== null) {
    statuses.push({ commit: deployed, state, description: describeEnd(kind, deployment, null) });
  }
  if (requested !== null && requested !== deployed) {
    statuses.push({ commit: requested, state, description: describeEnd(kind, deployment, deployed) });
  }
  return statuses;
}

/** A status needs a full object name. A commit that a person chose may be abbreviated. */
function onlyFull(commit: string | null): string | null {
  return commit !== null && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(commit) ? commit : null;
}

/** A skipped deployment had nothing to do, and must not block what requires the status. */
function endState(kind: NotificationKind, { code }: Deployment): Status["state"] {
  // The success of the other workflow deploys it.
  if (code === "ci_pending") return "pending";
  if (kind === "succeeded" || kind === "recovered" || isSkipCode(code)) return "success";
  return kind === "failed" ? "failure" : "error";
}

/** @param instead the commit that was deployed in place of the one with the status; null when it was that one. */
function describeEnd(kind: NotificationKind, deployment: Deployment, instead: string | null): string {
  const reason = describeResult(deployment);
  const why = reason === null ? "" : `: ${reason}`;
  if (isSkipCode(deployment.code)) return `skipped${why}`;
  const outcome = kind === "succeeded" || kind === "recovered" ? "deployed" : kind;
  return instead === null ? `${outcome}${why}` : `${outcome} with ${shortenCommit(instead)}${why}`;
}

/** A rate limit passes, and so do GitHub's own failures. Every other rejection says what to check. */
function createRejectionExplainer(repository: string): ExplainRejection {
  return (status, headers) => {
    if (status >= 300 && status < 400) return `was ${repository} renamed? configure its current name`;
    switch (status) {
      case 401:
        return "check that the token is correct and has not expired";
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
