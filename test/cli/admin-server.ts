import { TestClock } from "../support/clock.ts";

/** The token that {@link AdminServer} accepts. */
export const TOKEN = "an admin token of the tests, long enough";

/** A request that {@link AdminServer} received. */
export interface RecordedRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly body: unknown;
  readonly lastEventId: string | null;
}

/** Responses of the admin API, by method and path without the query. A function is called for each request. */
export type Responses = Readonly<Record<string, Response | ((request: RecordedRequest) => Response)>>;

/** A stand-in for the admin listener. It records each request and returns the responses that a test sets up. */
export class AdminServer {
  readonly url: string;
  readonly requests: RecordedRequest[] = [];
  readonly #server;
  #responses: Responses = {};

  constructor() {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      idleTimeout: 0,
      fetch: (request) => this.#handle(request),
    });
    // Stored because a stopped server reports port 0.
    this.url = `http://127.0.0.1:${this.#server.port}`;
  }

  /** The environment variables that a command needs to authenticate. */
  get env(): Record<string, string> {
    return { HOOKLATCH_ADMIN_TOKEN: TOKEN };
  }

  respondWith(responses: Responses): void {
    this.#responses = responses;
  }

  async close(): Promise<void> {
    await this.#server.stop(true);
  }

  async #handle(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const text = await request.text();
    const recorded: RecordedRequest = {
      method: request.method,
      path: pathname + search,
      body: text === "" ? null : JSON.parse(text),
      lastEventId: request.headers.get("last-event-id"),
    };
    this.requests.push(recorded);
    if (request.headers.get("authorization") !== `Bearer ${TOKEN}`) {
      return errorResponse(401, "not authorised");
    }
    const key = `${request.method} ${pathname}`;
    const response =
      this.#responses[key] ?? (key === "GET /api/status" ? Response.json(statusJson()) : undefined);
    if (response === undefined) return errorResponse(404, "not found");
    if (typeof response === "function") return response(recorded);
    const { status, headers } = response;
    return new Response(await response.clone().text(), { status, headers });
  }
}

/** An error response in the format of the admin API. */
export function errorResponse(code: number, status: string, reason?: string): Response {
  return Response.json({ status, reason }, { status: code });
}

/** The last page of a list. */
export function page(...items: readonly unknown[]): Response {
  return Response.json({ items, next: null });
}

/** The data of an `end` event. */
export interface LogEnd {
  readonly state: string;
  readonly code: string | null;
  readonly reason: string | null;
}

/**
 * The lines of a deployment log as an event stream. Lines are numbered from 1; the stream starts with the line after
 * `after`. If `end` is given, an `end` event follows the last line.
 */
export function logStream(
  lines: readonly string[],
  { after = 0, end }: { readonly after?: number; readonly end?: LogEnd },
): Response {
  const events = lines.map((line, at) => `id: ${at + 1}\nevent: line\ndata: ${line}\n\n`).slice(after);
  const last = end === undefined ? "" : `event: end\ndata: ${JSON.stringify({ ...end, id: 12 })}\n\n`;
  return new Response(`:\n\n${events.join("")}${last}`, { headers: { "content-type": "text/event-stream" } });
}

const TIME = "2026-11-21T20:30:00.000Z";

/** A clock one hour after the times below. The format of a time depends on its age. */
export const LATER = new TestClock({ start: "2026-11-21T21:30:00Z", skips: 60_000 });

/** A target in the format of the admin API. */
export function targetJson(overrides: Readonly<Record<string, unknown>> = {}) {
  return {
    name: "blog",
    source: "github",
    repository: "octocat/blog",
    branch: "main",
    tag: null,
    wait_for_ci: null,
    directory: "/srv/blog",
    layout: "releases",
    live: {
      commit: "0123456789abcdef0123456789abcdef01234567",
      release: "20261121T203000Z-0123456789ab",
      since: TIME,
      deployment: 11,
      subject: "Fix the menu",
      author: "Mona Lisa",
      commit_url: "https://github.com/octocat/blog/commit/1",
    },
    locked: null,
    queued: null,
    running: null,
    last: { id: 11, state: "succeeded", code: null, reason: null, ended_at: TIME },
    hosts: null,
    ...overrides,
  };
}

/** A deployment in the format of the admin API. */
export function deploymentJson(overrides: Readonly<Record<string, unknown>> = {}) {
  return {
    id: 12,
    target: "blog",
    host: "web-1",
    waits_for: null,
    state: "succeeded",
    code: null,
    reason: null,
    trigger: "push",
    attempt: 1,
    retry_of: null,
    retried_as: null,
    superseded_by: null,
    delivery: 7,
    pushed_commit: "0123456789abcdef0123456789abcdef01234567",
    chosen: null,
    branch: "main",
    commit: "0123456789abcdef0123456789abcdef01234567",
    subject: "Fix the menu",
    author: "Mona Lisa",
    commit_url: "https://github.com/octocat/blog/commit/1",
    previous_commit: "fedcba9876543210fedcba9876543210fedcba98",
    release: "20261121T203000Z-0123456789ab",
    created_at: TIME,
    started_at: TIME,
    ended_at: "2026-11-21T20:30:02.500Z",
    steps: [{ command: "npm ci", exit_code: 0, signal: null, milliseconds: 1234 }],
    ...overrides,
  };
}

/** A delivery in the format in which the admin API lists it. */
export function deliveryJson(overrides: Readonly<Record<string, unknown>> = {}) {
  return {
    id: 7,
    source: "github",
    event: "push",
    event_name: "push",
    action: null,
    status: "ok",
    reason: null,
    received_at: TIME,
    client: "192.0.2.1",
    provider_id: "6f3a",
    redelivery_of: null,
    replay_of: null,
    headers: { "content-type": "application/json", "x-github-event": "push" },
    decisions: [{ target: "blog", deploy: true, code: null, reason: null }],
    other_targets: 0,
    deployments: [12],
    outcomes: [{ deployment: 12, target: "blog", state: "succeeded", code: null, reason: null }],
    ...overrides,
  };
}

/** The response to a request that queued deployment 12, or one for each of these hosts. */
export function queuedJson(...hosts: readonly string[]) {
  const deployments = (hosts.length === 0 ? ["web-1"] : hosts).map((host, at) => ({ id: 12 + at, host }));
  return { status: "queued", deployment: 12, deployments };
}

/** A host in the format of the admin API. */
export function hostJson(overrides: Readonly<Record<string, unknown>> = {}) {
  return {
    name: "web-1",
    state: "up",
    draining: false,
    version: "1.2.3",
    since: TIME,
    seen_at: TIME,
    targets: [{ name: "blog", releases: ["20261121T203000Z-0123456789ab"] }],
    running: [],
    queued: [],
    ...overrides,
  };
}

/** The state of a server with two sources in the format of the admin API. */
export function statusJson(overrides: Readonly<Record<string, unknown>> = {}) {
  return {
    status: "ok",
    version: "0.0.0",
    started_at: TIME,
    public_url: null,
    sources: [
      { name: "github", provider: "github", path: "/github-webhook" },
      { name: "webhook", provider: "generic", path: "/webhook" },
    ],
    host: "web-1",
    hosts: null,
    targets: 1,
    queued: 0,
    running: 0,
    store_bytes: 1,
    certificate_expires_at: null,
    disks: [],
    ...overrides,
  };
}
