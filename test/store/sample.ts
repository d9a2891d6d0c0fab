import type { AcceptOptions, NewDelivery, Receipt } from "../../src/domain/delivery.ts";
import type { DeploymentRequest, DeploymentResult } from "../../src/domain/deployment.ts";
import type { Lock } from "../../src/domain/lock.ts";
import type { Decision } from "../../src/domain/match.ts";
import type { NotificationSubscription } from "../../src/domain/notification.ts";
import type { Page, PageRange } from "../../src/domain/page.ts";
import type { Store } from "../../src/domain/store.ts";

/** A fixed time that all tests share, plus `seconds`. */
export function at(seconds: number): Date {
  return new Date(Date.UTC(2026, 10, 21, 20, 30, seconds));
}

/** A push that deploys the targets. */
export function pushFor(...targets: string[]): NewDelivery {
  return delivery({
    decisions: targets.map((target): Decision => ({ target, deploy: true, code: null, reason: null })),
  });
}

/** A push that the locks of the targets block. */
export function blockedPush(...targets: string[]): NewDelivery {
  const locked = { deploy: false, code: "locked", reason: "locked by ada: release freeze" } as const;
  return delivery({ status: "held", decisions: targets.map((target): Decision => ({ target, ...locked })) });
}

/** A push to a branch that the targets do not deploy. */
export function skippedPush(...targets: string[]): NewDelivery {
  const skipped = { deploy: false, code: "branch", reason: 'branch "dev" is not "main"' } as const;
  const decisions = targets.map((target): Decision => ({ target, ...skipped }));
  return delivery({ status: "skipped", decisions });
}

export function delivery(own: Partial<NewDelivery> = {}): NewDelivery {
  return {
    source: "github",
    event: "push",
    eventName: "push",
    action: null,
    status: "ok",
    reason: null,
    receivedAt: at(0),
    client: "192.0.2.1",
    identity: null,
    headers: { "content-type": "application/json", "x-github-event": "push" },
    body: Buffer.from('{"ref":"refs/heads/main"}'),
    decisions: [],
    otherTargets: 0,
    ...own,
  };
}

/** The options of a push that is received over HTTP, with the same commit for every target. */
export function options({ pushedCommit = null, ...own }: TestOptions = {}): AcceptOptions {
  const defaults = { onRedelivery: "run", repeatedBody: "duplicate", detectDuplicates: true } as const;
  return { commitOf: () => pushedCommit, ...defaults, replayOf: null, ...own };
}

type TestOptions = Partial<AcceptOptions> & { readonly pushedCommit?: string | null };

/** Stores a delivery. Throws when the store reports it as a duplicate. */
export async function keep(store: Store, given: NewDelivery, own: TestOptions = {}): Promise<Receipt> {
  const acceptance = await store.accept(given, options(own));
  if (acceptance.kind === "duplicate") throw new Error(`a duplicate of ${acceptance.delivery}`);
  if (acceptance.kind === "queue full") throw new Error(`the queue of ${acceptance.target} is full`);
  return acceptance;
}

/** The id of the only deployment that a delivery queued. */
export function onlyDeployment(receipt: Receipt): number {
  const [only, ...others] = receipt.deployments;
  if (only === undefined || others.length > 0) throw new Error("not exactly one deployment");
  return only.id;
}

export function success(commit: string, own: Partial<DeploymentResult> = {}): DeploymentResult {
  return {
    state: "succeeded",
    code: null,
    reason: null,
    branch: "main",
    commit,
    subject: "Fix the menu",
    author: "Mona Lisa",
    commitUrl: null,
    release: `20261121T203000Z-${commit.slice(0, 12)}`,
    steps: [],
    ...own,
  };
}

export const COMMIT_A = "a".repeat(40);
export const COMMIT_B = "b".repeat(40);

/** A lock without an end time, set at `at(0)`. */
export function lockOf(target: string, own: Partial<Lock> = {}): Lock {
  return { target, reason: "release freeze", by: "ada", since: at(0), until: null, ...own };
}

/** A manual request to deploy the tip. */
export function request(target: string, own: Partial<DeploymentRequest> = {}): DeploymentRequest {
  return { target, trigger: "manual", commit: null, choice: null, ...own };
}

/** Claims the queued deployment of the target and finishes it. Returns its id. */
export async function runNext(
  store: Store,
  target: string,
  result: DeploymentResult,
  now: Date = at(0),
  subscriptions: readonly NotificationSubscription[] = [],
): Promise<number> {
  const claimed = await store.claim([target], now);
  if (claimed === null) throw new Error(`no deployment of ${target} is queued`);
  await store.finish(claimed.id, result, now, subscriptions);
  return claimed.id;
}

/** The error that a promise rejects with. Throws when the promise resolves. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error)) throw new Error("the promise was expected to reject with an error");
  return error;
}

/** Reads all pages of a list. Returns the ids on each page. */
export async function readPages(
  list: (range: PageRange) => Promise<Page<{ readonly id: number }>>,
  limit: number,
): Promise<number[][]> {
  const pages: number[][] = [];
  for (let before: number | null = null; ; ) {
    const { items, next }: Page<{ readonly id: number }> = await list({ limit, before });
    pages.push(items.map(({ id }) => id));
    if (next === null) return pages;
    before = next;
  }
}
