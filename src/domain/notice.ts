import type { DeploymentState } from "./deployment-state.ts";

/** What somebody may be told of a deployment. `recovered` is a success after a failure. */
export type News = "started" | "succeeded" | "recovered" | "failed" | "cancelled" | "interrupted";

/** Somebody who wants to be told, as far as the store has to know. */
export interface Subscriber {
  /** Known by this name when the notice is sent, also after a restart. */
  readonly name: string;
  /** The names of the targets it is about; null for all. */
  readonly targets: readonly string[] | null;
  readonly on: readonly News[];
}

/** What is to be told to one subscriber, kept until it took it or until it is given up. */
export interface Notice {
  readonly id: number;
  readonly subscriber: string;
  readonly deployment: number;
  readonly news: News;
  /** How often it was tried without success. */
  readonly attempts: number;
  readonly createdAt: Date;
}

/**
 * What a subscriber is told when a deployment comes to this state, or null. `before` is the state of the target's
 * last deployment before it that succeeded or failed.
 */
export function chooseNotice(
  { targets, on }: Subscriber,
  target: string,
  state: DeploymentState,
  before: DeploymentState | null,
): News | null {
  if (targets !== null && !targets.includes(target)) return null;
  if (state === "succeeded" && before === "failed" && on.includes("recovered")) return "recovered";
  return on.find((news) => news === state) ?? null;
}

/** The store's part that keeps notices. Those about the end of a deployment are made by `settle`. */
export interface NoticeStore {
  /** Keeps a notice that a deployment `started` for each of the subscribers that want it. */
  noteStart(deployment: number, subscribers: readonly Subscriber[], now: Date): Promise<void>;
  /**
   * Notices that are due at `now`, oldest first, at most one of each subscriber. One whose subscriber waits for an
   * earlier notice of the same deployment is not due; a `started` gives way to the end where the subscriber wants that.
   */
  dueNotices(now: Date, limit: number): Promise<readonly Notice[]>;
  /** When the next notice is due; null when there is none. */
  nextNoticeAt(): Promise<Date | null>;
  /** Removes a notice: it was taken, or is given up. */
  settleNotice(id: number): Promise<void>;
  /** Counts an attempt that failed; the notice is due again at `due`. */
  postponeNotice(id: number, due: Date): Promise<void>;
}
