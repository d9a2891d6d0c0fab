import type { ServerEvent } from "./server-event.ts";
import type { Target } from "./target.ts";

/** One machine that deploys, where several share a store. */
export interface Host extends HostDescription {
  readonly name: string;
  /** Since when its process runs, and when that process last renewed its lease, by the clock of the store. */
  readonly since: Date;
  readonly seenAt: Date;
  /** `up` while its lease holds. A process that stops ends its lease. */
  readonly state: "up" | "away";
  /** Whether a person ordered that it starts no further deployment. */
  readonly isDraining: boolean;
}

/** The state that a host reports. */
export interface HostDescription {
  /** The version of its hooklatch. */
  readonly version: string;
  /** The targets that its configuration deploys on it. */
  readonly targets: readonly HostTarget[];
}

/** A target on a host. */
export interface HostTarget {
  readonly name: string;
  /** The complete releases on its disk, newest first; null for a layout without releases. */
  readonly releases: readonly string[] | null;
}

/** The names of the hosts that deploy the target, in the order of a rollout. One that a target names may be unknown yet. */
export function listHostsOf(
  { name, placement }: Pick<Target, "name" | "placement">,
  hosts: readonly Host[],
): readonly string[] {
  if (placement !== undefined && placement.hosts !== null) return placement.hosts;
  return hosts.filter(({ targets }) => targets.some((each) => each.name === name)).map((host) => host.name);
}

/** Milliseconds. A lease is renewed at each interval, and ends when it was not renewed for its duration. */
export interface LeaseTimes {
  readonly renewEvery: number;
  readonly duration: number;
  /** How long a one-by-one rollout waits for a host that is away before the next host begins. */
  readonly patience: number;
}

/** What follows from the renewal of a lease. */
export type Renewal =
  /** The running deployments of this process that were cancelled from another one, with the reason. */
  | { readonly kind: "renewed"; readonly cancelled: readonly CancelRequest[] }
  /** Another process took over the name of this host: results of this process are rejected. */
  | { readonly kind: "replaced" };

/** A request of a person to end a running deployment. */
export interface CancelRequest {
  readonly deployment: number;
  readonly reason: string;
}

/** A change that another process made. Some may be lost, so that a process that depends on one polls as well. */
export type RemoteChange =
  | { readonly kind: "event"; readonly event: ServerEvent }
  /** A running deployment of this host was cancelled: `renew` returns which. */
  | { readonly kind: "cancel" };

/** The services for processes that share a store. All times are those of the store's clock. */
export interface Fleet {
  readonly times: LeaseTimes;
  /** Stores the state of this host. Where a target names no hosts, its deliveries are deployed on those that list it. */
  describeHost(description: HostDescription): Promise<void>;
  /** By name. */
  listHosts(): Promise<readonly Host[]>;
  /** Renews the lease of this process, which holds for the deployments that it runs. */
  renew(): Promise<Renewal>;
  /** Asks the host that runs the deployment to end it. False when it does not run. */
  requestCancel(deployment: number, reason: string): Promise<boolean>;
  /** Stops or resumes the start of deployments on a host. Null for an unknown one. */
  drainHost(name: string, isDraining: boolean): Promise<Host | null>;
  /**
   * Removes a host that is away, with what is live on it, and cancels its queued deployments: `host_forgotten`. It is
   * stored again when it starts again.
   */
  forgetHost(name: string, now: Date): Promise<ForgetOutcome>;
  /** Calls `listener` with each change that another process makes from now on. Returns the unsubscriber. */
  subscribe(listener: (change: RemoteChange) => void): () => void;
  /** Sends an event to the other processes soon. Never throws. */
  publish(event: ServerEvent): void;
  readonly challenges: ChallengeStore;
}

/** The result of a request to remove a host. */
export type ForgetOutcome =
  /** The ids of the deployments that were cancelled. */
  | { readonly kind: "forgotten"; readonly cancelled: readonly number[] }
  /** It is up: it would be stored again at once. */
  | { readonly kind: "up" }
  | { readonly kind: "unknown host" };

/** The answers to the challenges of a certificate authority, which may ask any process. */
export interface ChallengeStore {
  store(token: string, answer: string): Promise<void>;
  find(token: string): Promise<string | null>;
  remove(token: string): Promise<void>;
}
