import { signal } from "@preact/signals";
import type { ApiStatus } from "../../api/status.ts";
import { request } from "./request.ts";

/** The names of the hosts that share the store; empty where it has one host. */
export const hostNames = signal<readonly string[]>([]);

/** Loads the names of the hosts. */
export async function loadHosts(): Promise<void> {
  const outcome = await request<ApiStatus>("GET", "api/status");
  if (outcome.kind === "done") hostNames.value = outcome.value.hosts?.map(({ name }) => name) ?? [];
}
