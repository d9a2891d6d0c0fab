import {
  type AcceptOptions,
  type AcceptResult,
  type DeploymentCause,
  type NewDelivery,
  PUSHED,
} from "../../domain/delivery.ts";
import type { Decision } from "../../domain/match.ts";
import { AppError, type ErrorCode, errorMessage } from "../../lib/errors.ts";
import type { AcceptRequest, ActName } from "../group.ts";

/**
 * A message to the thread of the store. It handles them one after the other and sends one {@link Reply} to each, in the
 * same order.
 */
export type Message =
  /** The first one. Bodies of groups may come through the shared memory. */
  | { readonly kind: "open"; readonly dataDirectory: string; readonly memory: SharedArrayBuffer }
  | { readonly kind: "act"; readonly name: ActName; readonly args: readonly unknown[] }
  /** A group of deliveries, see {@link describeGroup}, whose bodies follow each other in `bodies`. */
  | { readonly kind: "group"; readonly description: string; readonly bodies: Uint8Array }
  /** The description of a group whose bodies follow each other from the start of the shared memory on. */
  | string;

export type Reply =
  | { readonly kind: "done"; readonly value: unknown }
  | { readonly kind: "failed"; readonly error: ErrorDescription }
  /** For a group of deliveries that were stored and do nothing else: their ids as a JSON array. */
  | string;

/**
 * Bytes of the memory that both threads share. The bodies of the one group that is usually under way are copied through
 * it, which costs a quarter of sending them. Pages that are never used take no memory.
 */
export const SHARED_BYTES = 4 * 1024 * 1024;

/** The bytes that the bodies of a group take together. */
export function lengthOfBodies(group: readonly AcceptRequest[]): number {
  return group.reduce((total, { delivery }) => total + delivery.body.length, 0);
}

/** Copies the bodies of a group, one after the other. */
export function copyBodies(group: readonly AcceptRequest[], into: Uint8Array): void {
  let at = 0;
  for (const { delivery } of group) {
    into.set(delivery.body, at);
    at += delivery.body.length;
  }
}

/** Has every property, so that the compiler reports one that is not sent. */
type Complete<Type> = { readonly [Name in keyof Type]-?: Exclude<Type[Name], undefined> };

/** A delivery without its body. Lists that many deliveries have in common are in `shared`, and named by their place. */
interface Row {
  readonly delivery: Omit<NewDelivery, "body" | "decisions" | "receivedAt">;
  /** In Unix milliseconds. */
  readonly receivedAt: number;
  readonly decisions: number;
  readonly length: number;
  /** Without the placement: SQLite has one host. */
  readonly options: Complete<Omit<AcceptOptions, "queueAll" | "commitOf" | "causeOf" | "placementOf">>;
  readonly queueAll: number;
  /** For each decision that deploys or that a lock blocks, in their order. */
  readonly causes: readonly Cause[];
}

/** What `commitOf` and `causeOf` return for a target. No cause is a push. */
interface Cause {
  readonly commit: string | null;
  readonly cause?: DeploymentCause;
}

/** The targets that a delivery deploys, or deploys when a lock ends. */
function listRequested(decisions: readonly Decision[]): readonly string[] {
  return decisions.filter(({ deploy, code }) => deploy || code === "locked").map(({ target }) => target);
}

/** Calls `read` once for each list, because many deliveries of a group have the same. */
function readOnce<Item, Result>(read: (list: readonly Item[]) => Result): (list: readonly Item[]) => Result {
  const results = new Map<readonly Item[], Result>();
  return (list) => {
    const result = results.get(list) ?? read(list);
    results.set(list, result);
    return result;
  };
}

interface Description {
  readonly shared: readonly (readonly unknown[])[];
  readonly rows: readonly Row[];
}

/** Everything about a group but its bodies, as JSON: one text is copied much faster than many objects. */
export function describeGroup(group: readonly AcceptRequest[]): string {
  const places = new Map<readonly unknown[], number>();
  function place(list: readonly unknown[]): number {
    const known = places.get(list) ?? places.size;
    places.set(list, known);
    return known;
  }
  const requestedOf = readOnce(listRequested);
  const rows = group.map((request): Row => {
    const { delivery, options } = request;
    const { source, event, eventName, action, status, reason, client, identity, headers } = delivery;
    const { ci = null, repeatedBody, onRedelivery, detectDuplicates, replayOf } = options;
    const { queueAll = [], commitOf, causeOf } = options;
    const causes = requestedOf(delivery.decisions).map((target) => ({
      commit: commitOf(target),
      ...(causeOf === undefined ? {} : { cause: causeOf(target) }),
    }));
    return {
      delivery: {
        source,
        event,
        eventName,
        action,
        status,
        reason,
        client,
        identity,
        headers,
        otherTargets: delivery.otherTargets,
      },
      receivedAt: delivery.receivedAt.getTime(),
      decisions: place(delivery.decisions),
      length: delivery.body.length,
      options: { ci, repeatedBody, onRedelivery, detectDuplicates, replayOf },
      queueAll: place(queueAll),
      causes,
    };
  });
  return JSON.stringify({ shared: [...places.keys()], rows } satisfies Description);
}

/** The group of a description. `take` returns the given number of bytes: the bodies, one after the other. */
export function readGroup(
  description: string,
  take: (length: number) => Uint8Array,
): readonly AcceptRequest[] {
  const { shared, rows } = JSON.parse(description) as Description;
  const bodies = take(rows.reduce((total, { length }) => total + length, 0));
  const requestedOf = readOnce(listRequested);
  let at = 0;
  return rows.map(({ delivery, receivedAt, decisions: place, length, options, queueAll, causes }) => {
    const body = bodies.subarray(at, at + length);
    at += length;
    const decisions = shared[place] as NewDelivery["decisions"];
    const byTarget = new Map(requestedOf(decisions).map((target, index) => [target, causes[index]]));
    return {
      delivery: {
        ...delivery,
        receivedAt: new Date(receivedAt),
        decisions,
        body,
      },
      options: {
        ...options,
        queueAll: shared[queueAll] as readonly string[],
        commitOf: (target) => byTarget.get(target)?.commit ?? null,
        causeOf: (target) => byTarget.get(target)?.cause ?? PUSHED,
      },
    };
  });
}

/** The reply to a group. */
export function describeResults(results: readonly AcceptResult[]): Reply {
  const isPlain = (result: AcceptResult) =>
    result.kind === "stored" && result.deployments.length === 0 && result.redeliveryOf === null;
  return results.every(isPlain)
    ? JSON.stringify(results.map((result) => (result.kind === "stored" ? result.delivery : 0)))
    : { kind: "done", value: results };
}

/** The results of a group from their ids. */
export function readResults(ids: string): readonly AcceptResult[] {
  const plain = { kind: "stored", deployments: [], superseded: [], redeliveryOf: null } as const;
  return (JSON.parse(ids) as readonly number[]).map((delivery) => ({ ...plain, delivery }));
}

/**
 * An argument of an act that can be sent: subscriptions are channels in the caller, whose functions the store does not
 * call, and no function can be copied.
 */
export function toSendable(arg: unknown): unknown {
  if (!Array.isArray(arg)) return arg;
  return arg.map((item: unknown) => {
    if (typeof item !== "object" || item === null) return item;
    return Object.fromEntries(Object.entries(item).filter(([, value]) => typeof value !== "function"));
  });
}

/** An error that crosses to another thread. A copy of an error would be no {@link AppError}. */
interface ErrorDescription {
  /** Null for an internal error. */
  readonly code: ErrorCode | null;
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  readonly cause: string | null;
}

/** Describes an error for the other thread. */
export function describeError(error: unknown): ErrorDescription {
  const { name, message, stack = "", cause } = error instanceof Error ? error : new Error(String(error));
  return {
    code: error instanceof AppError ? error.code : null,
    name,
    message,
    stack,
    cause: cause === undefined ? null : errorMessage(cause),
  };
}

/** The error of a description. */
export function toError({ code, name, message, stack, cause }: ErrorDescription): Error {
  if (code !== null) return new AppError(code, message, cause === null ? undefined : new Error(cause));
  return Object.assign(new Error(message), { name, stack });
}
