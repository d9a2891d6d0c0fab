import { systemClock } from "../../src/clock.ts";
import type { Clock } from "../../src/domain/clock.ts";

/** The token that the server below knows. */
export const TOKEN = "an admin token of the tests, long enough";

/** A request as it was asked. */
export interface Asked {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly body: unknown;
  readonly lastEventId: string | null;
}

/** Answers of the admin API, by method and path without the query; one that is a function is called each time. */
export type Answers = Readonly<Record<string, Response | ((asked: Asked) => Response)>>;

/** A server that answers what a test says, as the admin listener does. */
export class AdminServer {
  readonly asked: Asked[] = [];
  readonly #server;
  #answers: Answers = {};

  constructor() {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      idleTimeout: 0,
      fetch: (request) => this.#answer(request),
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  /** What finds it. */
  get env(): Record<string, string> {
    return { HOOKLATCH_ADMIN_TOKEN: TOKEN };
  }

  answerWith(answers: Answers): void {
    this.#answers = answers;
  }

  async close(): Promise<void> {
    await this.#server.stop(true);
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const text = await request.text();
    const asked: Asked = {
      method: request.method,
      path: pathname + search,
      body: text === "" ? null : JSON.parse(text),
      lastEventId: request.headers.get("last-event-id"),
    };
    this.asked.push(asked);
    if (request.headers.get("authorization") !== `Bearer ${TOKEN}`) return refusal(401, "not authorised");
    const answer = this.#answers[`${request.method} ${pathname}`];
    if (answer === undefined) return refusal(404, "not found");
    if (typeof answer === "function") return answer(asked);
    const { status, headers } = answer;
    return new Response(await answer.clone().text(), { status, headers });
  }
}

/** A refusal as the API words it. */
export function refusal(code: number, status: string, reason?: string): Response {
  return Response.json({ status, reason }, { status: code });
}

/** A page that nothing follows. */
export function page(...items: readonly unknown[]): Response {
  return Response.json({ items, next: null });
}

/** The lines of a log from the one after `after`, numbered from 1, as an event stream; then its end, where there is one. */
export function logStream(
  lines: readonly string[],
  { after = 0, end }: { readonly after?: number; readonly end?: { state: string; reason: string | null } },
): Response {
  const events = lines.map((line, at) => `id: ${at + 1}\nevent: line\ndata: ${line}\n\n`).slice(after);
  const last = end === undefined ? "" : `event: end\ndata: ${JSON.stringify({ ...end, id: 12 })}\n\n`;
  return new Response(`:\n\n${events.join("")}${last}`, { headers: { "content-type": "text/event-stream" } });
}

const TIME = "2026-11-21T20:30:00.000Z";

/** A person looks an hour after all of that: how a time is told depends on how long ago it was. */
export const LATER: Clock = { ...systemClock, now: () => new Date("2026-11-21T21:30:00.000Z") };

/** A target as the API tells it. */
export function targetAnswer(differs: Readonly<Record<string, unknown>> = {}) {
  return {
    name: "blog",
    source: "github",
    repository: "octocat/blog",
    branch: "main",
    tag: null,
    directory: "/srv/blog",
    layout: "releases",
    live: {
      commit: "0123456789abcdef0123456789abcdef01234567",
      release: "20261121T203000Z-0123456789ab",
      since: TIME,
    },
    locked: null,
    queued: null,
    running: null,
    last: { id: 11, state: "succeeded", reason: null, ended_at: TIME },
    ...differs,
  };
}

/** A deployment as the API tells it. */
export function deploymentAnswer(differs: Readonly<Record<string, unknown>> = {}) {
  return {
    id: 12,
    target: "blog",
    state: "succeeded",
    reason: null,
    trigger: "push",
    attempt: 1,
    delivery: 7,
    pushed_commit: "0123456789abcdef0123456789abcdef01234567",
    chosen: null,
    branch: "main",
    commit: "0123456789abcdef0123456789abcdef01234567",
    previous_commit: "fedcba9876543210fedcba9876543210fedcba98",
    release: "20261121T203000Z-0123456789ab",
    created_at: TIME,
    started_at: TIME,
    ended_at: "2026-11-21T20:30:02.500Z",
    steps: [{ command: "npm ci", exit_code: 0, signal: null, milliseconds: 1234 }],
    ...differs,
  };
}

/** A delivery as the API tells it in a list. */
export function deliveryAnswer(differs: Readonly<Record<string, unknown>> = {}) {
  return {
    id: 7,
    source: "github",
    event: "push",
    status: "ok",
    reason: null,
    received_at: TIME,
    client: "192.0.2.1",
    provider_id: "6f3a",
    redelivery_of: null,
    replay_of: null,
    headers: { "content-type": "application/json", "x-github-event": "push" },
    decisions: [{ target: "blog", deploy: true, reason: null }],
    deployments: [12],
    outcomes: [{ deployment: 12, target: "blog", state: "succeeded", reason: null }],
    ...differs,
  };
}
