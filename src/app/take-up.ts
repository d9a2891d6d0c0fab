import { mkdirSync, rmSync } from "node:fs";
import type { AbandonedRun } from "../domain/deployment.ts";
import { takeUpQueue } from "../flow/take-up.ts";
import { type Engine, temporaryOf } from "./engine.ts";
import type { Setup } from "./setup.ts";

/** Takes up what the last run left, before anything is claimed or decided. */
export async function takeUp(
  { config, messengers }: Setup,
  { store, clock, log, broadcast, locks, allowances }: Engine,
): Promise<readonly AbandonedRun[]> {
  // What a killed run left there, payloads of deployments, is of no use any more.
  rmSync(temporaryOf(config), { recursive: true, force: true });
  mkdirSync(temporaryOf(config), { mode: 0o700 });
  const { publish } = broadcast;
  const tools = { store, clock, log, publish, subscribers: messengers };
  const abandoned = await takeUpQueue(config.targets, tools);
  await locks.load();
  await allowances.load();
  return abandoned;
}
