import type { DecisionCode } from "./codes.ts";
import type { Event, Events, PushEvent, Ref } from "./event.ts";
import type { Target, WatchedRef } from "./target.ts";

/** Whether a delivery deploys a target, and why not. */
export interface Decision {
  readonly target: string;
  readonly deploy: boolean;
  /** Null when it deploys the target. */
  readonly code: DecisionCode | null;
  /** Null when it deploys the target. The text contains parts of the payload: escape it wherever it is shown. */
  readonly reason: string | null;
}

/** Why a target is not deployed. */
interface Mismatch {
  readonly code: DecisionCode;
  readonly reason: string;
}

/** A decision and the event that it follows from. */
export interface Match {
  readonly decision: Decision;
  /** The event's index in the delivery. */
  readonly event: number;
}

/** Decides for each target of the delivery's source, in the configuration's order. */
export function matchTargets(events: Events, targets: readonly Target[]): readonly Match[] {
  return targets.map((target) => matchTarget(events, target));
}

/** The first event that deploys the target decides; else the one that came closest. */
function matchTarget(events: Events, target: Target): Match {
  const mismatches: Mismatch[] = [];
  for (const [event, each] of events.entries()) {
    const mismatch = findMismatch(each, target);
    if (mismatch === null) {
      return { decision: { target: target.name, deploy: true, code: null, reason: null }, event };
    }
    mismatches.push(mismatch);
  }
  // A deleted or skipped ref is the one that the target follows.
  const closest = mismatches.findIndex(({ code }) => code !== "branch" && code !== "tag");
  const event = Math.max(0, closest);
  const { code = "event", reason = "" } = mismatches[event] ?? {};
  const others = closest === -1 ? mismatches.length - 1 : 0;
  const also = others > 0 ? ` (other refs in the push: ${others})` : "";
  return { decision: { target: target.name, deploy: false, code, reason: `${reason}${also}` }, event };
}

/**
 * Whether a delivery concerns a target, deployed or not. A target with a repository is concerned by the pushes to that
 * repository. A delivery deploys only targets that it concerns.
 */
export function isAbout(events: Events, { repository }: Target): boolean {
  return events.some((event) => {
    if (repository === null) return event.kind !== "ping";
    return event.kind === "push" && isSameRepository(event.repository, repository.fullName);
  });
}

function isSameRepository(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** How many targets a summary names. */
const MAX_NAMED = 10;

/** The decisions against a deployment in one line: `blog: branch "dev" is not "main"; docs: …`. */
export function summariseDecisions(decisions: readonly Decision[], source: string): string {
  if (decisions.length === 0) return `no target listens to source ${source}`;
  const against = decisions.filter((decision) => !decision.deploy);
  const named = against.slice(0, MAX_NAMED).map(({ target, reason }) => `${target}: ${reason}`);
  const others = against.length - named.length;
  return [...named, ...(others > 0 ? [`and ${others} other targets`] : [])].join("; ");
}

function findMismatch(event: Event, target: Target): Mismatch | null {
  if (event.kind === "ping") return { code: "ping", reason: "a ping deploys nothing" };
  if (target.repository === null) return null;
  if (event.kind === "other") return { code: "event", reason: `event ${quote(event.name)} is not a push` };
  const { fullName, ref } = target.repository;
  if (!isSameRepository(event.repository, fullName)) {
    return {
      code: "repository",
      reason: `repository ${quote(event.repository)} is not ${quote(fullName)}`,
    };
  }
  return findRefMismatch(event.ref, ref) ?? findPushMismatch(event);
}

function findRefMismatch(ref: Ref, watched: WatchedRef): Mismatch | null {
  const pushed = describeRef(ref);
  if (watched.kind === "branch") {
    if (ref.kind === "branch" && ref.name === watched.name) return null;
    const kind = ref.kind === "branch" ? "" : "branch ";
    return { code: "branch", reason: `${pushed} is not ${kind}${quote(watched.name)}` };
  }
  if (ref.kind !== "tag") return { code: "tag", reason: `${pushed} is not a tag` };
  if (tagMatches(ref.name, watched.pattern)) return null;
  return { code: "tag", reason: `${pushed} does not match ${quote(watched.pattern)}` };
}

function findPushMismatch({ ref, deleted, skip, unchanged }: PushEvent): Mismatch | null {
  if (unchanged) return { code: "no_commit", reason: "no commit was pushed: the delivery is a test" };
  if (deleted) return { code: "deleted", reason: `${describeRef(ref)} was deleted` };
  if (!skip) return null;
  return { code: "skip_requested", reason: "the commit's message asks to skip the deployment" };
}

function describeRef({ kind, name }: Ref): string {
  return kind === "other" ? `ref ${quote(name)}` : `${kind} ${quote(name)}`;
}

/** Matches a pattern in which `*` stands for any text. Not a RegExp, whose backtracking a long tag would exploit. */
export function tagMatches(tag: string, pattern: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return tag === pattern;
  const end = tag.length - last.length;
  if (!tag.startsWith(first) || !tag.endsWith(last) || end < first.length) return false;
  let from = first.length;
  for (const part of rest) {
    const at = tag.indexOf(part, from);
    if (at < 0 || at + part.length > end) return false;
    from = at + part.length;
  }
  return true;
}

/** Untrusted text in quotes, cut to 200 characters. */
function quote(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}
