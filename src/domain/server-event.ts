import type { DeliveryStatus } from "./delivery.ts";
import type { Deployment } from "./deployment.ts";
import type { Event } from "./event.ts";
import type { Lock } from "./lock.ts";

/** Something that happened in the server, for those who watch it. Nothing depends on it being received. */
export type ServerEvent =
  | {
      readonly kind: "delivery";
      readonly delivery: number;
      readonly source: string;
      readonly event: Event["kind"];
      readonly status: DeliveryStatus;
      readonly reason: string | null;
    }
  /** A deployment changed its state. */
  | { readonly kind: "deployment"; readonly deployment: Deployment }
  /** A deployment's output has new lines, which are stored. */
  | { readonly kind: "output"; readonly deployment: number }
  | { readonly kind: "lock"; readonly target: string; readonly lock: Lock | null }
  | {
      readonly kind: "client";
      readonly source: string;
      readonly address: string;
      readonly change: "authorised" | "revoked";
    };

/** Publishes an event to everybody who watches. */
export type PublishEvent = (event: ServerEvent) => void;
