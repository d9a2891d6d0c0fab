import type { Server } from "./executable.ts";

/** Requests /healthz again and again. Resolves with the response times in milliseconds, shortest first. */
export async function measureHealth({ url }: Server, milliseconds: number): Promise<readonly number[]> {
  const times: number[] = [];
  const end = performance.now() + milliseconds;
  for (let start = performance.now(); start < end; start = performance.now()) {
    await (await fetch(new URL("/healthz", url), { keepalive: false })).text();
    times.push(performance.now() - start);
    await Bun.sleep(50);
  }
  return times.toSorted((a, b) => a - b);
}
