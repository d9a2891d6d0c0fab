import { Value } from "@sinclair/typebox/value";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { ApiEnd } from "../../api/deployment.ts";
import { AppError } from "../../lib/errors.ts";
import { formatOutcome } from "../output/deployment.ts";
import { makeLinePrintable, makePrintable } from "../output/sanitise.ts";
import { EXIT, type Finish, type Terminal } from "../terminal.ts";
import { type Admin, type ExplainProblem, openAdminStream, type Problem, readProblem } from "./client.ts";

/** How following a deployment ended. */
export type Followed =
  | ({ readonly kind: "ended" } & ApiEnd)
  /** The user stopped following; the deployment continues. */
  | { readonly kind: "stopped" };

/** The reports of {@link followDeployment} to its caller. */
interface Follower {
  readonly terminal: Pick<Terminal, "clock" | "untilStopped">;
  /** Gets each line of output once. */
  readonly onLine: (line: string) => void;
  readonly explain: ExplainProblem;
}

/** Milliseconds before each attempt to reconnect. A restart of the server takes seconds. */
const RETRY_DELAYS = [100, 500, 1000, 2000, 4000, 8000];

/**
 * Follows the output of a deployment until it ends or the user stops. Resumes an interrupted stream after the last line.
 * Throws an {@link AppError} if the first connection fails, or every attempt to reconnect.
 */
export async function followDeployment(
  admin: Admin,
  id: number,
  { terminal, onLine, explain }: Follower,
): Promise<Followed> {
  const stopping = new AbortController();
  const { signal } = stopping;
  void terminal.untilStopped().then(() => stopping.abort());
  const progress: Progress = { lastId: null, wasOpened: false, failures: 0 };
  for (;;) {
    let cause: unknown;
    const result = await readLog(admin, id, progress, onLine, signal).catch((error: unknown) => {
      if (!signal.aborted && !progress.wasOpened) throw error;
      cause = error;
      return null;
    });
    if (result?.kind === "rejected") throw await explain(result.problem);
    if (result !== null) return result;
    if (signal.aborted) return { kind: "stopped" };
    const delay = RETRY_DELAYS[progress.failures++];
    if (delay === undefined) {
      const retry = `hooklatch deployment log ${id} --follow`;
      throw new AppError("failed", `lost the connection to the server; try again with: ${retry}`, cause);
    }
    await terminal.clock.sleep(delay, signal);
  }
}

interface Progress {
  /** The id of the last line. */
  lastId: string | null;
  wasOpened: boolean;
  /** Connections in a row that brought nothing. */
  failures: number;
}

/** Reads one connection to its end; null if it ended before the deployment. */
async function readLog(
  admin: Admin,
  id: number,
  progress: Progress,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<Followed | { readonly kind: "rejected"; readonly problem: Problem } | null> {
  const resume = progress.lastId === null ? {} : { "last-event-id": progress.lastId };
  const headers = { accept: "text/event-stream", ...resume };
  const { status, body } = await openAdminStream(admin, {
    path: `/api/deployments/${id}/log`,
    headers,
    signal,
  });
  if (status !== 200) {
    const text = await new Response(body).text();
    return { kind: "rejected", problem: readProblem({ code: status, text }, admin) };
  }
  progress.wasOpened = true;
  let comments = 0;
  for await (const event of readServerSentEvents(body)) {
    // A server that is shutting down also sends the first comment, and closes the connection.
    if (event !== null || ++comments > 1) progress.failures = 0;
    if (event?.event === "end") return { kind: "ended", ...readEnd(event.data) };
    if (event === null || Number(event.id) <= Number(progress.lastId)) continue;
    progress.lastId = event.id ?? null;
    onLine(event.data);
  }
  return null;
}

function readEnd(data: string): ApiEnd {
  const value: unknown = JSON.parse(data);
  if (Value.Check(ApiEnd, value)) return value;
  throw new AppError(
    "failed",
    "the last event of the log is invalid: does the server have the same version?",
  );
}

/** Reads an event stream to its end (HTML standard, section 9.2). A comment is null. */
export async function* readServerSentEvents(
  stream: AsyncIterable<Uint8Array>,
): AsyncGenerator<EventSourceMessage | null, void, undefined> {
  const events: (EventSourceMessage | null)[] = [];
  const parser = createParser({
    onEvent: (event) => events.push(event),
    onComment: () => events.push(null),
  });
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    yield* events.splice(0);
  }
}

/**
 * Follows a deployment for a command that prints its output: reports the result on standard error, and exits with 0 only
 * if the deployment succeeded.
 */
export async function followToEnd(
  admin: Admin,
  id: number,
  terminal: Terminal,
  finish: Finish,
  explain: ExplainProblem,
): Promise<void> {
  const followed = await followDeployment(admin, id, { terminal, onLine: linePrinter(terminal), explain });
  terminal.err(`hooklatch: ${describeFollowed(id, followed)}\n`);
  if (followed.kind === "stopped" || followed.state !== "succeeded") finish(EXIT.failed);
}

/** The result of following in one line that is safe to print. */
export function describeFollowed(id: number, followed: Followed): string {
  if (followed.kind === "ended") return makePrintable(formatOutcome(id, followed));
  return `deployment ${id} continues; follow it with: hooklatch deployment log ${id} --follow, or end it with: hooklatch deployment cancel ${id}`;
}

/** Prints lines of output. For a terminal, colours stay and other control sequences are escaped. */
export function linePrinter({ isTty, out }: Terminal): (line: string) => void {
  return (line) => out(`${isTty.stdout ? makeLinePrintable(line) : line}\n`);
}
