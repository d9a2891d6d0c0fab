import type { LeaseTimes } from "../../domain/host.ts";

/** Seconds. A host whose process did not renew its lease for so long is away. */
export const LEASE_SECONDS = 20;

/** Seconds for which a one-by-one rollout waits for a host that is away or drained. */
export const PATIENCE_SECONDS = 120;

/** The same in milliseconds. */
export const LEASE_TIMES: LeaseTimes = {
  renewEvery: 5_000,
  duration: LEASE_SECONDS * 1000,
  patience: PATIENCE_SECONDS * 1000,
};
