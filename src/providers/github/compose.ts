import { isZeroCommit, parseRef } from "../../domain/event.ts";
import type { Destination, RawRequest, SampleRequest } from "../../domain/provider.ts";
import type { Secret } from "../../lib/secret.ts";
import { encodeField } from "../form.ts";
import { requireSecret, type SignatureStyle, writeSignature } from "../hmac.ts";

/** The only header whose signature counts; the SHA-1 in `X-Hub-Signature` does not. */
export const SIGNATURE_HEADER = "x-hub-signature-256";

/**
 * `sha256=` and the 64 lower-case hex digits of the HMAC-SHA256 of the raw body.
 * Source: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
 */
export const SIGNATURE_STYLE: SignatureStyle = { algorithm: "sha256", encoding: "hex", prefix: "sha256=" };

/** Ids of the hook and the repository in composed requests. */
const HOOK_ID = 500_000_001;
const REPOSITORY_ID = 100_000_001;

/**
 * Composes a request as GitHub would send it, with every field that GitHub's schema requires, signed with the first
 * secret. Throws an `AppError` `configuration` when there is none.
 */
export function composeDelivery(
  message: SampleRequest,
  secrets: readonly Secret[],
  { path, query }: Destination,
): RawRequest {
  const secret = requireSecret(secrets, "github");
  const json = writeJson(message);
  const body = message.form ? encodeField("payload", json) : json;
  const headers = new Headers({
    "content-type": message.form ? "application/x-www-form-urlencoded" : "application/json",
    "user-agent": "GitHub-Hookshot/hooklatch",
    "x-github-event": message.kind === "payload" ? message.event : message.kind,
    "x-github-delivery": message.deliveryId,
    "x-github-hook-id": String(HOOK_ID),
    "x-github-hook-installation-target-id": String(REPOSITORY_ID),
    "x-github-hook-installation-target-type": "repository",
    [SIGNATURE_HEADER]: writeSignature(secret.reveal(), body, SIGNATURE_STYLE),
  });
  return { method: "POST", path, query, headers, body };
}

function writeJson(message: SampleRequest): Uint8Array {
  if (message.kind === "payload") return message.json;
  return Buffer.from(JSON.stringify(message.kind === "ping" ? describePing(message) : describePush(message)));
}

/** The object name of git's empty tree. */
const EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

type PingMessage = Extract<SampleRequest, { kind: "ping" }>;
type PushMessage = Extract<SampleRequest, { kind: "push" }>;

function describePing({ form, repository: fullName }: PingMessage): object {
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

/** One commit, or a deleted ref when `after` is zeros. */
function describePush({ repository: fullName, ref, before, after }: PushMessage): object {
  const repository = describeRepository(fullName);
  const [created, deleted] = [isZeroCommit(before), isZeroCommit(after)];
  const commit = deleted ? null : describeCommit(repository.html_url, after);
  return {
    ref,
    before,
    after,
    repository: {
      ...repository,
      // Only in a push GitHub writes Unix seconds, and the URL of the page as `url`.
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
    // The commits of a tag were pushed before.
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

const TIME = "2026-01-01T00:00:00Z";
const SECONDS = Date.parse(TIME) / 1000;
/** The URLs of a repository below its API URL, as URI templates. The field of `keys{/key_id}` is `keys_url`. */
const REPOSITORY_LINKS = listLinks(
  `forks keys{/key_id} collaborators{/collaborator} teams hooks events assignees{/user} branches{/branch} tags languages
  stargazers contributors subscribers subscription commits{/sha} comments{/number} merges downloads issues{/number}
  pulls{/number} milestones{/number} notifications{?since,all,participating} labels{/name} releases{/id} deployments`,
  {
    issue_events_url: "/issues/events{/number}",
    blobs_url: "/git/blobs{/sha}",
    git_tags_url: "/git/tags{/sha}",
    git_refs_url: "/git/refs{/sha}",
    trees_url: "/git/trees{/sha}",
    statuses_url: "/statuses/{sha}",
    git_commits_url: "/git/commits{/sha}",
    issue_comment_url: "/issues/comments{/number}",
    contents_url: "/contents/{+path}",
    compare_url: "/compare/{base}...{head}",
    archive_url: "/{archive_format}{/ref}",
  },
);

const ACCOUNT_LINKS = listLinks(
  `followers following{/other_user} gists{/gist_id} starred{/owner}{/repo} subscriptions repos events{/privacy}
  received_events`,
  { organizations_url: "/orgs" },
);

/** The templates in the text, whose fields have the names of their paths, and the others. */
function listLinks(text: string, others: Readonly<Record<string, string>>): readonly [string, string][] {
  const regular = text
    .split(/\s+/)
    .map((path): [string, string] => [`${path.replace(/\{.*/, "")}_url`, `/${path}`]);
  return [...regular, ...Object.entries(others)];
}

/** The repository in every event except `push`, which replaces some of the fields. */
function describeRepository(fullName: string) {
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
    ...resolve(api, REPOSITORY_LINKS),
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

function describeAccount(login: string) {
  const api = `https://api.github.com/users/${login}`;
  return {
    login,
    id: 583_231,
    node_id: "MDQ6VXNlcjU4MzIzMQ==",
    avatar_url: "https://avatars.githubusercontent.com/u/583231?v=4",
    gravatar_id: "",
    url: api,
    html_url: `https://github.com/${login}`,
    ...resolve(api, ACCOUNT_LINKS),
    type: "User",
    user_view_type: "public",
    site_admin: false,
  };
}

function resolve(base: string, links: readonly [string, string][]): Record<string, string> {
  return Object.fromEntries(links.map(([name, path]) => [name, base + path]));
}
