/** The payload of GitHub for a push to `main` of octocat/blog, with changes. `full_name` renames the repository. */
export function pushBody(changes: Record<string, unknown> = {}): string {
  const { full_name: fullName = "octocat/blog", ...others } = changes;
  const id = "6113728f27ae82c7b1a177c8d03f9e96e0adf246";
  const author = { name: "Mona", email: "mona@example.com", username: "octocat" };
  const commit = {
    id,
    tree_id: "f9d2a07e9488b91af2641b26b9407fe22a451433",
    distinct: true,
    message: "A line with \u001b[31mcolour and a ♥",
    timestamp: "2026-11-21T12:00:00+01:00",
    url: `https://github.com/octocat/blog/commit/${id}`,
    author,
    committer: author,
    added: [],
    removed: [],
    modified: ["index.html"],
  };
  return JSON.stringify({
    ref: "refs/heads/main",
    before: "10d00f5d6e7e0b6d38ba1f6e3f9f9b0f4d6c1c6a",
    after: id,
    created: false,
    deleted: false,
    forced: false,
    base_ref: null,
    compare: "https://github.com/octocat/blog/compare/10d00f5d6e7e...6113728f27ae",
    commits: [commit],
    head_commit: commit,
    repository: {
      id: 186853002,
      node_id: "MDEwOlJlcG9zaXRvcnkxODY4NTMwMDI=",
      name: "blog",
      full_name: fullName,
      private: false,
      owner: { name: "octocat", email: null, login: "octocat", id: 1 },
      html_url: "https://github.com/octocat/blog",
      clone_url: "https://github.com/octocat/blog.git",
      created_at: 1557933565,
      pushed_at: 1557933657,
      default_branch: "main",
    },
    pusher: { name: "octocat", email: "mona@example.com" },
    sender: { login: "octocat", id: 1 },
    ...others,
  });
}

/** The payload of GitHub for a ping of a repository's webhook. */
export function pingBody(): string {
  return JSON.stringify({
    zen: "Non-blocking is better than blocking.",
    hook_id: 292430182,
    hook: {
      type: "Repository",
      id: 292430182,
      name: "web",
      active: true,
      events: ["push"],
      config: {
        content_type: "json",
        insecure_ssl: "0",
        url: "https://hooks.test/github-webhook",
        secret: "********",
      },
      updated_at: "2026-11-21T12:00:00Z",
      created_at: "2026-11-21T12:00:00Z",
    },
    repository: { id: 186853002, full_name: "octocat/blog" },
    sender: { login: "octocat", id: 1 },
  });
}
