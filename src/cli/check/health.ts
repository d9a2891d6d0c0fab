import { askHealth, PATIENCE, withoutSecrets } from "../../deploy/health.ts";
import type { Target } from "../../domain/target.ts";
import { ok, type Remark, warn } from "./remark.ts";

/** What the health URL answers now, asked as a deployment asks. */
export async function checkHealth({ name, health }: Target): Promise<readonly Remark[]> {
  if (health === null) return [];
  const { isWell, told, why } = await askHealth(health.url, PATIENCE, new AbortController().signal);
  const text = `target ${name}: health ${withoutSecrets(health.url)} ${told}${why}`;
  if (isWell) return [ok(text)];
  return [
    warn(
      `${text} now: fine before the first deployment, which it fails when that lasts for ${health.within / 1_000} s`,
    ),
  ];
}
