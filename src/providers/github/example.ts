import { isZeroCommit, parseRef } from "../../domain/event.ts";
import type { Message } from "../../domain/provider.ts";
import { describeAccount, describeRepository, SECONDS, TIME } from "./example-repository.ts";

/** Bodies with every field that GitHub's own schema requires, about a push and a hook that never were. */

/** The made-up webhook's number. */
export const HOOK_ID = 500_000_001;

/** The object name of git's empty tree. */
const EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

type PingMessage = Extract<Message, { kind: "ping" }>;
type PushMessage = Extract<Message, { kind: "push" }>;

/** The body of a `ping` for a hook on a repository. */
export function describePing({ form, repository: fullName }: PingMessage): object {
  const repository = describeRepository(fullName);
  const url = `${repository.url}/hooks/${HOOK_ID}`;
  return {
    zen: "Keep it logically awesome.",
    hook_id: HOOK_ID,
    hook: {
      type: "Repository",
      id: HOOK_ID,
      name: "web",
      active: true,
      events: ["push"],
      config: {
        content_type: form ? "form" : "json",
        insecure_ssl: "0",
        secret: "********",
        url: "https://hooks.example.com/github-webhook",
      },
      updated_at: TIME,
      created_at: TIME,
      url,
      test_url: `${url}/test`,
      ping_url: `${url}/pings`,
      deliveries_url: `${url}/deliveries`,
      last_response: { code: null, status: "unused", message: null },
    },
    repository,
    sender: describeAccount("octocat"),
  };
}

/** The body of a `push` with one commit, or of a deleted ref when `after` is zeros. */
export function describePush({ repository: fullName, ref, before, after }: PushMessage): object {
  const repository = describeRepository(fullName);
  const [created, deleted] = [isZeroCommit(before), isZeroCommit(after)];
  const commit = deleted ? null : describeCommit(repository.html_url, after);
  return {
    ref,
    before,
    after,
    repository: {
      ...repository,
      // Here and only here GitHub writes Unix seconds, and the page's address as `url`.
      url: repository.html_url,
      created_at: SECONDS,
      pushed_at: SECONDS,
      stargazers: 0,
      master_branch: repository.default_branch,
    },
    pusher: { name: "octocat", email: "octocat@users.noreply.github.com" },
    sender: describeAccount("octocat"),
    created,
    deleted,
    forced: false,
    base_ref: null,
    compare: `${repository.html_url}/compare/${before.slice(0, 12)}...${after.slice(0, 12)}`,
    // A tag is put on commits that were pushed before.
    commits: commit === null || parseRef(ref).kind === "tag" ? [] : [commit],
    head_commit: commit,
  };
}

function describeCommit(page: string, id: string): object {
  const person = { name: "octocat", email: "octocat@users.noreply.github.com", username: "octocat" };
  return {
    id,
    tree_id: EMPTY_TREE,
    distinct: true,
    message: "A commit",
    timestamp: TIME,
    url: `${page}/commit/${id}`,
    author: person,
    committer: person,
    added: [],
    removed: [],
    modified: ["README.md"],
  };
}
