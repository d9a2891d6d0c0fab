import type { ServerEvent } from "../domain/server-event.ts";
import { toApiDeployment } from "./deployment.ts";
import { toApiLock } from "./target.ts";

/** The data of an event in the stream of all events, as JSON. The stream itself names the event's kind. */
export function toApiServerEvent(event: ServerEvent, at: Date): string {
  return JSON.stringify({ at: at.toISOString(), ...toFields(event) });
}

function toFields(event: ServerEvent): object {
  if (event.kind === "deployment") return { deployment: toApiDeployment(event.deployment) };
  if (event.kind === "lock") return { target: event.target, locked: event.lock && toApiLock(event.lock) };
  const { kind: _, ...fields } = event;
  return fields;
}
