import type { ClientStore } from "./client.ts";
import type { DeliveryStore } from "./delivery.ts";
import type { DeploymentStore } from "./deployment.ts";

/**
 * What is kept. Its functions are whole acts, each of them atomic and on disk when it resolves; no
 * transaction is ever handed out.
 */
export interface Store extends ClientStore, DeliveryStore, DeploymentStore {
  close(): Promise<void>;
}
