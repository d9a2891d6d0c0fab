import { quote } from "../lib/text.ts";
import { type CiResult, describeWait, findCiMismatch, type Mismatch } from "./ci.ts";
import type { DecisionCode } from "./codes.ts";
import { actionOf, type Event, type Events, nameOf, type PushEvent, type Ref } from "./event.ts";
import type { Target, WatchedRef, WatchedRepository, WatchedTag } from "./target.ts";

/** Whether a delivery deploys a target, and why not. */
export interface Decision {
  readonly target: string;
  readonly deploy: boolean;
  /** Null when it deploys the target. */
  readonly code: DecisionCode | null;
  /** Null when it deploys the target. The text contains parts of the payload: escape it wherever it is shown. */
  readonly reason: string | null;
}

/** A decision and the event that it follows from. */
export interface Match {
  readonly decision: Decision;
  /** The event's index in the delivery. */
  readonly event: number;
}

/** The event of the delivery that the decision about a target follows from. */
export function findDecisiveEvent(events: Events, target: Target): Event {
  return events[matchTarget(events, target).event] ?? events[0];
}

/** Decides about a target. The first event that deploys it decides; else the one that came closest. */
export function matchTarget(events: Events, target: Target): Match {
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
 * repository, by its CI where the target waits for CI, and by other events of it that the target's `events` name, with any
 * action. A delivery deploys only targets that it concerns.
 */
export function isAbout(events: Events, { repository, events: listed, waitForCi }: Target): boolean {
  return events.some((event) => {
    if (event.kind === "ping") return false;
    if (repository === null) return true;
    if (!isSameRepository(event.repository ?? "", repository.fullName)) return false;
    if (event.kind === "ci" && waitForCi !== null) return true;
    const name = nameOf(event);
    return (
      event.kind === "push" || (listed ?? []).some((each) => each === name || each.startsWith(`${name}.`))
    );
  });
}

/** Whether a result of CI is one for the repository and the branch, or a tag, that a target watches. */
export function isCiFor({ repository, refs }: CiResult, watched: WatchedRepository): boolean {
  return isSameRepository(repository, watched.fullName) && findCiRefMismatch(refs, watched.ref) === null;
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
  const eventMismatch = findEventMismatch(event, target);
  if (eventMismatch !== null || target.repository === null) return eventMismatch;
  const { fullName, ref } = target.repository;
  if (event.repository === undefined) {
    return { code: "repository", reason: `event ${quote(nameOf(event))} does not name its repository` };
  }
  if (!isSameRepository(event.repository, fullName)) {
    return {
      code: "repository",
      reason: `repository ${quote(event.repository)} is not ${quote(fullName)}`,
    };
  }
  const { waitForCi } = target;
  if (event.kind === "push") {
    return (
      findRefMismatch(event.ref, ref) ??
      findPushMismatch(event) ??
      (waitForCi === null ? null : describeWait(waitForCi))
    );
  }
  if (event.kind !== "ci" || waitForCi === null) return null;
  return findCiRefMismatch(event.refs, ref) ?? findCiMismatch(event, waitForCi);
}

function findEventMismatch(event: Event, { events, repository, waitForCi }: Target): Mismatch | null {
  const name = nameOf(event);
  const action = actionOf(event);
  const full = action === null ? name : `${name}.${action}`;
  if (events === null) {
    if (repository === null || event.kind === "push") return null;
    if (event.kind === "ci" && waitForCi !== null) return null;
    return { code: "event", reason: `event ${quote(name)} is not a push` };
  }
  if (events.includes(name) || events.includes(full)) return null;
  return { code: "event", reason: `event ${quote(full)} is not one of ${events.map(quote).join(", ")}` };
}

function findRefMismatch(ref: Ref, watched: WatchedRef): Mismatch | null {
  const pushed = describeRef(ref);
  if (watched.kind === "branch") {
    if (ref.kind === "branch" && ref.name === watched.name) return null;
    const kind = ref.kind === "branch" ? "" : "branch ";
    return { code: "branch", reason: `${pushed} is not ${kind}${quote(watched.name)}` };
  }
  if (ref.kind !== "tag") return { code: "tag", reason: `${pushed} is not a tag` };
  if (isWatchedTag(ref.name, watched)) return null;
  const reason = tagMatches(ref.name, watched.pattern)
    ? `${pushed} is a pre-release: set prereleases = true to deploy it`
    : `${pushed} does not match ${quote(watched.pattern)}`;
  return { code: "tag", reason };
}

/** Where the forge names no ref, the fetch decides whether the branch contains the commit. */
function findCiRefMismatch(refs: readonly string[] | null, watched: WatchedRef): Mismatch | null {
  if (refs === null && watched.kind === "branch") return null;
  if (refs === null) return { code: "tag", reason: "the sender does not say for which tag CI ran" };
  const isBranch = watched.kind === "branch";
  const isWatched = isBranch ? refs.includes(watched.name) : refs.some((name) => isWatchedTag(name, watched));
  if (isWatched) return null;
  const ran =
    refs.length === 0 ? "CI ran for no branch" : `CI ran for ${refs.slice(0, 3).map(quote).join(", ")}`;
  return isBranch
    ? { code: "branch", reason: `${ran}, not for branch ${quote(watched.name)}` }
    : { code: "tag", reason: `${ran}, not for a tag that matches ${quote(watched.pattern)}` };
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

/** Whether a target deploys a tag: it matches the pattern, and is no pre-release unless those are wanted. */
export function isWatchedTag(tag: string, { pattern, prereleases }: WatchedTag): boolean {
  if (!tagMatches(tag, pattern)) return false;
  // A pattern with a hyphen after its first `*`, such as `v*-rc*`, names pre-releases, and one without `*` names one tag.
  return prereleases || !/^[^*]*\*[^-]*$/.test(pattern) || !isPrerelease(tag);
}

/**
 * Whether a tag names a pre-release: a hyphen follows the numbers of its version (Semantic Versioning 2.0.0, 9). Text before
 * the version is allowed, and a `v` before a single number: `v2.0.0-rc.1`, `web@1.0.0-beta`, `v10-rc1`, not `day-2026-11-29`.
 */
export function isPrerelease(tag: string): boolean {
  return /(?:^|[^\d.])(?:\d+(?:\.\d+)+-[\dA-Za-z]|(?<=v)\d+-[A-Za-z])/.test(tag);
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
