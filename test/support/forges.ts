import type { Sender, SignOptions } from "./sender.ts";
import { readFixture, SENDERS } from "./senders.ts";

/** A ref before and after a push. */
export interface RefChange {
  /** The full name. */
  readonly ref: string;
  /** 40 zeros where the ref is new. */
  readonly before: string;
  /** 40 zeros where the ref is deleted. */
  readonly after: string;
}

/** A delivery of a forge. */
export interface ForgeDelivery {
  readonly event: string;
  readonly body: string;
}

/** A forge whose payloads are in `fixtures`, with the repository, the refs and the commits of a test. */
export interface Forge {
  readonly name: string;
  readonly sender: Sender;
  /** The header with the name of the event. */
  readonly eventHeader: string;
  /** Further keys of the source, with the address of the git server. */
  readonly keys: (origin: string) => string;
  /** Where the forge serves the repository, below its address; null where `base_url` cannot say it. */
  readonly clonePath: ((repository: string) => string) | null;
  readonly repository: string;
  /** The deliveries for one `git push` of these changes. */
  readonly push: (changes: readonly RefChange[], repository: string) => readonly ForgeDelivery[];
  /** A delivery that no rule of a target is about. */
  readonly other: () => ForgeDelivery;
  /** The ping, or null where the forge has none. */
  readonly ping: (() => ForgeDelivery) | null;
}

/** What stands for a ref that is not there. */
export const ZERO = "0".repeat(40);

function readJson(name: string): object {
  return JSON.parse(readFixture(name));
}

/** The payload with other values at some paths, such as `repository.full_name`. */
function change(payload: object, values: Readonly<Record<string, unknown>>): string {
  const changed = structuredClone(payload);
  for (const [path, value] of Object.entries(values)) {
    const keys = path.split(".");
    const last = keys.pop() ?? "";
    let at: unknown = changed;
    for (const key of keys) at = Reflect.get(Object(at), key);
    Reflect.set(Object(at), last, value);
  }
  return JSON.stringify(changed);
}

const isTag = (ref: string) => ref.startsWith("refs/tags/");
const shortName = (ref: string) => ref.replace(/^refs\/(?:heads|tags)\//, "");

function pushToGithub({ ref, before, after }: RefChange, repository: string): ForgeDelivery {
  const kind = isTag(ref) ? "tag" : "branch";
  const [file, isDeleted] =
    after === ZERO
      ? [`push-${kind}-deleted`, true]
      : before !== ZERO
        ? ["push-ordinary", false]
        : [isTag(ref) ? "push-tag-created" : "push-new-branch", false];
  const commit = isDeleted ? {} : { "head_commit.id": after };
  const values = { ref, before, after, "repository.full_name": repository, ...commit };
  return { event: "push", body: change(readJson(`github/${file}.json`), values) };
}

function pushToGitlab({ ref, before, after }: RefChange, repository: string): ForgeDelivery {
  const file = isTag(ref) ? "tag-event" : "push-event";
  const values = {
    ref,
    before,
    after,
    checkout_sha: after === ZERO ? null : after,
    "project.path_with_namespace": repository,
    ...(after === ZERO && { commits: [], total_commits_count: 0 }),
  };
  const body = change(readJson(`payloads/gitlab/${file}.json`), values);
  return { event: isTag(ref) ? "Tag Push Hook" : "Push Hook", body };
}

/** Gitea reports a deleted ref as an event of its own. */
function pushToGitea({ ref, before, after }: RefChange, repository: string): ForgeDelivery {
  const named = { "repository.full_name": repository };
  if (after === ZERO) {
    const values = { ...named, ref: shortName(ref), ref_type: isTag(ref) ? "tag" : "branch" };
    return { event: "delete", body: change(readJson("payloads/gitea/delete-event.json"), values) };
  }
  const values = { ...named, ref, before, after, "head_commit.id": after, "commits.0.id": after };
  return { event: "push", body: change(readJson("payloads/gitea/push-event.json"), values) };
}

/** One delivery has all changes. */
function pushToBitbucket(changes: readonly RefChange[], repository: string): ForgeDelivery {
  const payload = readJson("payloads/bitbucket/repo-push.json") as {
    push: { changes: [{ new: object }] };
  };
  const side = (ref: string, hash: string) =>
    hash === ZERO
      ? null
      : JSON.parse(
          change(payload.push.changes[0].new, {
            type: isTag(ref) ? "tag" : "branch",
            name: shortName(ref),
            "target.hash": hash,
          }),
        );
  const written = changes.map(({ ref, before, after }) => ({
    ...payload.push.changes[0],
    old: side(ref, before),
    new: side(ref, after),
    created: before === ZERO,
    closed: after === ZERO,
  }));
  const values = { "repository.full_name": repository, "push.changes": written };
  return { event: "repo:push", body: change(payload, values) };
}

/** One delivery has all changes. */
function pushToBitbucketServer(changes: readonly RefChange[], repository: string): ForgeDelivery {
  const [key, slug] = repository.split("/");
  const written = changes.map(({ ref, before, after }) => ({
    ref: { id: ref, displayId: shortName(ref), type: isTag(ref) ? "TAG" : "BRANCH" },
    refId: ref,
    fromHash: before,
    toHash: after,
    type: after === ZERO ? "DELETE" : before === ZERO ? "ADD" : "UPDATE",
  }));
  const values = { "repository.slug": slug, "repository.project.key": key, changes: written };
  const payload = readJson("payloads/bitbucket-server/repo-refs-changed.json");
  return { event: "repo:refs_changed", body: change(payload, values) };
}

function senderOf(name: string): Sender {
  const sender = SENDERS.find((each) => each.name === name);
  if (sender === undefined) throw new Error(`no sender ${name}`);
  return sender;
}

const file = (event: string, name: string) => (): ForgeDelivery => ({ event, body: readFixture(name) });
const baseUrl = (origin: string) => `base_url = "${origin}"`;

const gitlab = {
  eventHeader: "x-gitlab-event",
  keys: baseUrl,
  clonePath: (repository: string) => `${repository}.git`,
  repository: "group/sub/site",
  push: (changes: readonly RefChange[], repository: string) =>
    changes.map((each) => pushToGitlab(each, repository)),
  other: file("Pipeline Hook", "payloads/gitlab/pipeline-event.json"),
  ping: null,
};

/** Every forge, by the source that receives its deliveries. */
export const FORGES: readonly Forge[] = [
  {
    name: "github",
    sender: senderOf("github"),
    eventHeader: "x-github-event",
    keys: () => "",
    clonePath: null,
    repository: "octocat/blog",
    push: (changes, repository) => changes.map((each) => pushToGithub(each, repository)),
    other: () => ({ event: "issues", body: '{"action":"opened","repository":{"full_name":"octocat/blog"}}' }),
    ping: () => ({ event: "ping", body: '{"zen":"Keep it logically awesome.","hook_id":1,"hook":{}}' }),
  },
  { name: "gitlab", sender: senderOf("gitlab"), ...gitlab },
  { name: "gitlab-signed", sender: senderOf("gitlab-signed"), ...gitlab },
  {
    name: "gitea",
    sender: senderOf("gitea"),
    eventHeader: "x-gitea-event",
    keys: baseUrl,
    clonePath: (repository) => `${repository}.git`,
    repository: "team/site",
    push: (changes, repository) => changes.map((each) => pushToGitea(each, repository)),
    other: file("pull_request", "payloads/gitea/pull-request-event.json"),
    ping: null,
  },
  {
    name: "bitbucket",
    sender: senderOf("bitbucket"),
    eventHeader: "x-event-key",
    keys: () => "",
    clonePath: null,
    repository: "team/site",
    push: (changes, repository) => [pushToBitbucket(changes, repository)],
    other: file("pullrequest:fulfilled", "payloads/bitbucket/pull-request-merged.json"),
    ping: null,
  },
  {
    name: "bitbucket-server",
    sender: senderOf("bitbucket"),
    eventHeader: "x-event-key",
    keys: baseUrl,
    clonePath: (repository) => `scm/${repository}.git`,
    repository: "PROJ/site",
    push: (changes, repository) => [pushToBitbucketServer(changes, repository)],
    other: file("pr:merged", "payloads/bitbucket-server/pr-merged.json"),
    ping: () => ({ event: "diagnostics:ping", body: '{"test":true}' }),
  },
];

/** Sends a delivery as the forge would. */
export async function sendAs(
  { sender, eventHeader }: Pick<Forge, "sender" | "eventHeader">,
  url: URL | string,
  { event, body }: ForgeDelivery,
  options?: SignOptions,
): Promise<{ readonly code: number; readonly answer: Answer }> {
  const headers = { "content-type": "application/json", ...(await sender.sign(body, options)) };
  const response = await fetch(url, {
    method: "POST",
    redirect: "manual",
    body,
    headers: { ...headers, [eventHeader]: event },
  });
  return { code: response.status, answer: (await response.json()) as Answer };
}

/** The answer to a delivery. */
export interface Answer {
  readonly status: string;
  readonly delivery?: number;
  readonly deployments?: readonly { readonly id: number; readonly target: string }[];
  readonly reason?: string;
}
