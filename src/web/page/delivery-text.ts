import type { ApiDelivery } from "../../api/delivery.ts";
import { isSkipCode } from "../../domain/codes.ts";
import { capitalise } from "./format.ts";

const STATUSES: Readonly<Record<string, string>> = { ok: "Accepted", pong: "Ping" };

/** The status of a delivery as a label: the same in lists, on its page and in filters. */
export function statusText(status: string): string {
  return STATUSES[status] ?? capitalise(status);
}

/** The sender's name of an event with its action, such as `workflow_run.completed`; null when it is not stored. */
function nameOf({ event_name, action }: Pick<ApiDelivery, "event_name" | "action">): string | null {
  return [event_name, action].filter((part) => part !== null).join(".") || null;
}

type NamedEvent = Pick<ApiDelivery, "event" | "event_name" | "action">;

/** The event of a delivery in a list. An event of no particular kind has the name that its sender uses. */
export function eventText(delivery: NamedEvent): string {
  const { event } = delivery;
  return (event === "other" ? nameOf(delivery) : null) ?? capitalise(event);
}

/** The event of a delivery with the sender's name of it, such as `CI (workflow_run.completed)`. */
export function eventDetails(delivery: NamedEvent): string {
  const [text, name] = [eventText(delivery), nameOf(delivery)];
  return name === null || name === text || name === delivery.event ? text : `${text} (${name})`;
}

/** The state of a deployment of a delivery and its reason, such as `queued: locked by ada: release freeze`. */
export function outcomeText({
  state,
  code,
  reason,
}: Pick<ApiDelivery["outcomes"][number], "state" | "code" | "reason">): string {
  // The reason is `cancelled by <name>`.
  if (code === "cancelled" && reason !== null) return reason;
  const text = isSkipCode(code) ? "skipped" : state;
  return reason === null ? text : `${text}: ${reason}`;
}
