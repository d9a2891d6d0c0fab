import { isZeroCommit, parseRef } from "../../domain/event.ts";
import type { SampleRequest } from "../../domain/provider.ts";

/** Bodies with every field that GitHub's own schema requires, about a push and a hook that never were. */

/** The made-up webhook's number. */
export const HOOK_ID = 500_000_001;

/** The object name of git's empty tree. */
const EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

type PingMessage = Extract<SampleRequest, { kind: "ping" }>;
type PushMessage = Extract<SampleRequest, { kind: "push" }>;

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

/** A moment that all examples share, so that the same message is the same bytes. */
export const TIME = "2026-01-01T00:00:00Z";
/** The same moment in Unix seconds, as pushes have it. */
export const SECONDS = Date.parse(TIME) / 1000;
/** The made-up repository's number. */
export const REPOSITORY_ID = 100_000_001;

/** Addresses below a repository's API address, as GitHub's URI templates. */
const API_LINKS = {
  forks_url: "/forks",
  keys_url: "/keys{/key_id}",
  collaborators_url: "/collaborators{/collaborator}",
  teams_url: "/teams",
  hooks_url: "/hooks",
  issue_events_url: "/issues/events{/number}",
  events_url: "/events",
  assignees_url: "/assignees{/user}",
  branches_url: "/branches{/branch}",
  tags_url: "/tags",
  blobs_url: "/git/blobs{/sha}",
  git_tags_url: "/git/tags{/sha}",
  git_refs_url: "/git/refs{/sha}",
  trees_url: "/git/trees{/sha}",
  statuses_url: "/statuses/{sha}",
  languages_url: "/languages",
  stargazers_url: "/stargazers",
  contributors_url: "/contributors",
  subscribers_url: "/subscribers",
  subscription_url: "/subscription",
  commits_url: "/commits{/sha}",
  git_commits_url: "/git/commits{/sha}",
  comments_url: "/comments{/number}",
  issue_comment_url: "/issues/comments{/number}",
  contents_url: "/contents/{+path}",
  compare_url: "/compare/{base}...{head}",
  merges_url: "/merges",
  archive_url: "/{archive_format}{/ref}",
  downloads_url: "/downloads",
  issues_url: "/issues{/number}",
  pulls_url: "/pulls{/number}",
  milestones_url: "/milestones{/number}",
  notifications_url: "/notifications{?since,all,participating}",
  labels_url: "/labels{/name}",
  releases_url: "/releases{/id}",
  deployments_url: "/deployments",
} as const;

const ACCOUNT_LINKS = {
  followers_url: "/followers",
  following_url: "/following{/other_user}",
  gists_url: "/gists{/gist_id}",
  starred_url: "/starred{/owner}{/repo}",
  subscriptions_url: "/subscriptions",
  organizations_url: "/orgs",
  repos_url: "/repos",
  events_url: "/events{/privacy}",
  received_events_url: "/received_events",
} as const;

/** A repository as GitHub describes it in every event but `push`, which has a few fields of its own. */
export function describeRepository(fullName: string) {
  const [owner = "", name = ""] = fullName.split("/", 2);
  const api = `https://api.github.com/repos/${fullName}`;
  const page = `https://github.com/${fullName}`;
  return {
    id: REPOSITORY_ID,
    node_id: "R_kgDOBfXhAQ",
    name,
    full_name: fullName,
    private: false,
    owner: { ...describeAccount(owner), name: owner, email: null },
    html_url: page,
    description: null,
    fork: false,
    url: api,
    ...underneath(api, API_LINKS),
    created_at: TIME,
    updated_at: TIME,
    pushed_at: TIME,
    git_url: `git://github.com/${fullName}.git`,
    ssh_url: `git@github.com:${fullName}.git`,
    clone_url: `${page}.git`,
    svn_url: page,
    homepage: null,
    size: 1,
    stargazers_count: 0,
    watchers_count: 0,
    language: null,
    has_issues: true,
    has_projects: true,
    has_downloads: true,
    has_wiki: true,
    has_pages: false,
    has_discussions: false,
    forks_count: 0,
    mirror_url: null,
    archived: false,
    disabled: false,
    open_issues_count: 0,
    license: null,
    allow_forking: true,
    is_template: false,
    web_commit_signoff_required: false,
    topics: [],
    visibility: "public",
    forks: 0,
    open_issues: 0,
    watchers: 0,
    default_branch: "main",
    custom_properties: {},
  };
}

/** A user as GitHub describes one. */
export function describeAccount(login: string) {
  const api = `https://api.github.com/users/${login}`;
  return {
    login,
    id: 583_231,
    node_id: "MDQ6VXNlcjU4MzIzMQ==",
    avatar_url: "https://avatars.githubusercontent.com/u/583231?v=4",
    gravatar_id: "",
    url: api,
    html_url: `https://github.com/${login}`,
    ...underneath(api, ACCOUNT_LINKS),
    type: "User",
    user_view_type: "public",
    site_admin: false,
  };
}

function underneath(base: string, links: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(links).map(([name, path]) => [name, base + path]));
}
