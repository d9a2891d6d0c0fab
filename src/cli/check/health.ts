import type { Target } from "../../domain/target.ts";
import { ok, type Remark, warn } from "./remark.ts";

/** Milliseconds that one answer may take, as in a deployment. */
const PATIENCE = 5_000;

/** What the health URL answers now. It is shown without the query, into which people put tokens. */
export async function checkHealth({ name, health }: Target): Promise<readonly Remark[]> {
  if (health === null) return [];
  const { origin, pathname } = new URL(health.url);
  const text = `target ${name}: health ${origin}${pathname}`;
  const code = await askHealth(health.url);
  if (code !== null && code >= 200 && code <= 299) return [ok(`${text} answers ${code}`)];
  const found = code === null ? "gives no answer" : `answers ${code}`;
  return [
    warn(
      `${text} ${found} now: fine before the first deployment, which it fails when that lasts for ${health.within / 1_000} s`,
    ),
  ];
}

/** The code of the answer; null for none. */
async function askHealth(url: string): Promise<number | null> {
  try {
    const { status } = await fetch(url, {
      redirect: "manual",
      keepalive: false,
      headers: { "user-agent": "hooklatch" },
      signal: AbortSignal.timeout(PATIENCE),
    });
    return status;
  } catch {
    return null;
  }
}
