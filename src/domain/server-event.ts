import type { DeliveryStatus } from "./delivery.ts";
import type { Deployment } from "./deployment.ts";
import type { Event } from "./event.ts";
import type { Lock } from "./lock.ts";

/** Something that those who watch the server may want to know at once. Nothing depends on their hearing it. */
export type ServerEvent =
  | {
      readonly kind: "delivery";
      readonly delivery: number;
      readonly source: string;
      readonly event: Event["kind"];
      readonly status: DeliveryStatus;
      readonly reason: string | null;
    }
  /** A deployment came to another state. */
  | { readonly kind: "deployment"; readonly deployment: Deployment }
  /** A deployment's output has new lines; they are in the store. */
  | { readonly kind: "output"; readonly deployment: number }
  | { readonly kind: "lock"; readonly target: string; readonly lock: Lock | null }
  | {
      readonly kind: "client";
      readonly source: string;
      readonly address: string;
      readonly change: "authorised" | "revoked";
    };

/** Tells all who watch. */
export type PublishEvent = (happening: ServerEvent) => void;
