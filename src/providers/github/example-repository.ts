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
