import { Value } from "@sinclair/typebox/value";
import { ApiEnd } from "../../api/deployment.ts";
import { AppError } from "../../lib/errors.ts";
import { formatOutcome } from "../output/deployment.ts";
import { makeLinePrintable, makePrintable } from "../output/sanitise.ts";
import { EXIT, type Finish, type Terminal } from "../terminal.ts";
import { type Admin, openAdminStream, type Problem, readProblem } from "./client.ts";
import { readServerSentEvents } from "./sse.ts";

/** What following a deployment came to. */
export type Followed =
  | ({ readonly kind: "ended" } & ApiEnd)
  /** The person who followed does not want to any more; the deployment goes on. */
  | { readonly kind: "left" }
  | ({ readonly kind: "refused" } & Problem);

/** How long to wait before each new try when the connection is cut, in milliseconds: a restart takes seconds. */
const WAITS = [100, 500, 1000, 2000, 4000, 8000];

/**
 * Gives each line of a deployment's output to `onLine` once, as it comes, until the deployment has ended or the
 * program is asked to stop. A connection that is cut is made again, from the line where it was cut. Throws a
 * {@link AppError} `failed` when the server cannot be reached (any more).
 */
export async function followDeployment(
  admin: Admin,
  id: number,
  onLine: (line: string) => void,
  terminal: Terminal,
): Promise<Followed> {
  const leaving = new AbortController();
  void terminal.untilStopped().then(() => leaving.abort());
  const place: Place = { after: null };
  let [wasReached, failures] = [false, 0];
  for (;;) {
    try {
      for await (const heard of hear(admin, id, place, leaving.signal)) {
        wasReached = true;
        if (heard.kind !== "opened") failures = 0;
        if (heard.kind === "line") onLine(heard.text);
        else if (heard.kind === "ended" || heard.kind === "refused") return heard;
      }
    } catch (error) {
      if (leaving.signal.aborted) return { kind: "left" };
      if (!wasReached) throw error;
      if (failures >= WAITS.length) throw explainLoss(id, error);
    }
    if (leaving.signal.aborted) return { kind: "left" };
    if (failures >= WAITS.length) throw explainLoss(id);
    await terminal.clock.sleep(WAITS[failures++] ?? 0, leaving.signal);
  }
}

/** How far it was followed. */
interface Place {
  /** The id of the last line; null before the first. */
  after: string | null;
}

type Heard =
  | { readonly kind: "opened" }
  /** Nothing happened, and the connection stands. */
  | { readonly kind: "alive" }
  | { readonly kind: "line"; readonly text: string }
  | Exclude<Followed, { kind: "left" }>;

/** One connection, until it ends or is cut. Remembers in `place` how far it came. */
async function* hear(
  admin: Admin,
  id: number,
  place: Place,
  signal: AbortSignal,
): AsyncGenerator<Heard, void, undefined> {
  const resume = place.after === null ? {} : { "last-event-id": place.after };
  const response = await openAdminStream(admin, {
    method: "GET",
    path: `/api/deployments/${id}/log`,
    headers: { accept: "text/event-stream", ...resume },
    signal,
  });
  if (response.status !== 200) {
    const text = await new Response(response.body).text();
    const problem = readProblem({ code: response.status, text }, admin);
    yield { kind: "refused", ...problem };
    return;
  }
  // A server that stops still greets, and hangs up then: the first comment is no sign of life.
  let wasGreeted = false;
  yield { kind: "opened" };
  for await (const event of readServerSentEvents(response.body)) {
    if (event === null) {
      if (wasGreeted) yield { kind: "alive" };
      wasGreeted = true;
    } else if (event.type === "end") {
      yield { kind: "ended", ...readEnd(event.data) };
    } else if (Number(event.id) > Number(place.after ?? 0)) {
      place.after = event.id;
      yield { kind: "line", text: event.data };
    }
  }
}

function readEnd(data: string): ApiEnd {
  const value: unknown = JSON.parse(data);
  if (Value.Check(ApiEnd, value)) return value;
  throw new AppError("failed", "the log's end was not told as an admin listener does");
}

function explainLoss(id: number, error?: unknown): AppError {
  return new AppError(
    "failed",
    `the connection was cut and the server cannot be reached: hooklatch deployment log ${id} --follow tries again`,
    error,
  );
}

/** Follows a deployment, tells how it ended in one line on standard error, and exits with 0 only for a success. */
export async function followToEnd(
  admin: Admin,
  id: number,
  onLine: (line: string) => void,
  tools: { readonly terminal: Terminal; readonly finish: Finish },
): Promise<Followed> {
  const followed = await followDeployment(admin, id, onLine, tools.terminal);
  if (followed.kind === "ended") {
    tools.terminal.err(`hooklatch: ${describeEnd(id, followed)}\n`);
    if (followed.state !== "succeeded") tools.finish(EXIT.failed);
  } else if (followed.kind === "left") {
    tools.terminal.err(`hooklatch: ${describeLeaving(id)}\n`);
    tools.finish(EXIT.failed);
  }
  return followed;
}

/** What became of a deployment, fit to be printed. */
export function describeEnd(id: number, end: ApiEnd): string {
  return makePrintable(formatOutcome(id, end));
}

/** What somebody who stops following is told. */
export function describeLeaving(id: number): string {
  return `deployment ${id} goes on: hooklatch deployment log ${id} --follow shows it again, hooklatch deployment cancel ${id} ends it`;
}

/** Prints lines as they are kept; on a terminal without what a terminal obeys, other than colours. */
export function printLines({ isTty, out }: Terminal): (line: string) => void {
  return (line) => out(`${isTty.stdout ? makeLinePrintable(line) : line}\n`);
}
