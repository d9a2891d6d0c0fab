import type { DeliveryStatus } from "./delivery.ts";
import type { Deployment } from "./deployment.ts";
import type { Event } from "./event.ts";
import type { Lock } from "./lock.ts";

/** A change in the server, for listeners such as event streams. The server does not depend on its receipt. */
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
  /** New lines of a deployment's output are stored. */
  | { readonly kind: "output"; readonly deployment: number }
  | { readonly kind: "lock"; readonly target: string; readonly lock: Lock | null }
  | {
      readonly kind: "client";
      readonly source: string;
      readonly address: string;
      readonly change: "authorised" | "revoked";
    };

export type PublishEvent = (event: ServerEvent) => void;
