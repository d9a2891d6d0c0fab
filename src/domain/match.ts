import type { Event, PushEvent, Ref } from "./event.ts";
import type { Target, WatchedRef } from "./target.ts";

/** Whether a delivery deploys a target, and why not. */
export interface Decision {
  readonly target: string;
  readonly deploy: boolean;
  /** What did not fit; null when it is deployed. Holds payload text: escape it wherever it is shown. */
  readonly reason: string | null;
}

/** One decision for each target of the delivery's source, in the configuration's order. */
export function matchTargets(event: Event, targets: readonly Target[]): readonly Decision[] {
  return targets.map((target) => {
    const reason = whyNot(event, target);
    return { target: target.name, deploy: reason === null, reason };
  });
}

/** Whether an event is about a target, deployed or not: for one with a repository, whether that was pushed to. */
export function isAbout(event: Event, { repository }: Target): boolean {
  if (repository === null) return event.kind !== "ping";
  return event.kind === "push" && isSameRepository(event.repository, repository.fullName);
}

function isSameRepository(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** How many targets an answer names: a kept delivery has them all. */
const MOST_NAMED = 10;

/** The decisions against, in one line: `blog: branch "dev" is not "main"; docs: …`. */
export function summariseDecisions(decisions: readonly Decision[], source: string): string {
  if (decisions.length === 0) return `no target listens to source ${source}`;
  const against = decisions.filter((decision) => !decision.deploy);
  const named = against.slice(0, MOST_NAMED).map(({ target, reason }) => `${target}: ${reason}`);
  const others = against.length - named.length;
  return [...named, ...(others > 0 ? [`and ${others} other targets`] : [])].join("; ");
}

function whyNot(event: Event, target: Target): string | null {
  if (event.kind === "ping") return "a ping deploys nothing";
  if (target.repository === null) return null;
  if (event.kind === "other") return `event ${show(event.name)} is not a push`;
  if (!isSameRepository(event.repository, target.repository.fullName)) {
    return `repository ${show(event.repository)} is not ${show(target.repository.fullName)}`;
  }
  return whyNotRef(event, target.repository.ref);
}

function whyNotRef(push: PushEvent, watched: WatchedRef): string | null {
  if (watched.kind === "branch" && !(push.ref.kind === "branch" && push.ref.name === watched.name)) {
    return `${describeRef(push.ref)} is not ${push.ref.kind === "branch" ? "" : "branch "}${show(watched.name)}`;
  }
  if (watched.kind === "tag" && !(push.ref.kind === "tag" && tagMatches(push.ref.name, watched.pattern))) {
    return push.ref.kind === "tag"
      ? `${describeRef(push.ref)} does not match ${show(watched.pattern)}`
      : `${describeRef(push.ref)} is not a tag`;
  }
  if (push.deleted) return `${describeRef(push.ref)} was deleted`;
  return push.skip ? "the commit's message asks to skip the deployment" : null;
}

function describeRef(ref: Ref): string {
  return ref.kind === "other" ? `ref ${show(ref.name)}` : `${ref.kind} ${show(ref.name)}`;
}

/** Whether a tag's name fits a pattern in which `*` stands for any text. */
export function tagMatches(tag: string, pattern: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  if (rest.length === 0) return tag === pattern;
  const last = rest.pop() ?? "";
  if (!tag.startsWith(first) || !tag.endsWith(last) || tag.length < first.length + last.length) return false;
  let from = first.length;
  const end = tag.length - last.length;
  for (const part of rest) {
    const at = tag.indexOf(part, from);
    if (at < 0 || at + part.length > end) return false;
    from = at + part.length;
  }
  return true;
}

/** Untrusted text in quotes, cut at a length that keeps an answer readable. */
function show(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}
