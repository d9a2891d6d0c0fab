import { expect, setDefaultTimeout, test } from "bun:test";
import { Blog } from "../binary/blog.ts";
import { measureHealth } from "../support/health.ts";
import { times } from "./length.ts";

setDefaultTimeout(240_000);

const FOLLOWERS = 20;
const LINES = 400_000;
const MILLISECONDS = times({ short: 8_000, long: 20_000 });
/** The limit for the median response time of /healthz, in milliseconds. */
const HEALTH_LIMIT = 250;

test(`responds in time while ${FOLLOWERS} clients follow a log of ${LINES} lines`, async () => {
  await using blog = new Blog();
  await blog.serve({ keys: `run = ["seq ${LINES}"]` });
  const id = await blog.push({ "index.html": "one" });
  expect(await blog.untilEnded(id)).toMatchObject({ state: "succeeded" });
  const stopping = new AbortController();
  let bytes = 0;
  const followers = Array.from({ length: FOLLOWERS }, async () => {
    while (!stopping.signal.aborted) {
      const response = await blog.openLog(id, stopping.signal);
      for await (const chunk of response.body ?? []) bytes += chunk.byteLength;
    }
  }).map((follower) => follower.catch(() => {}));
  const measured = await measureHealth(blog.server, MILLISECONDS);
  stopping.abort();
  await Promise.all(followers);
  const median = measured[measured.length >> 1] ?? Number.POSITIVE_INFINITY;
  console.log(
    `followers: ${Math.round(bytes / 1024 ** 2)} MiB, /healthz median ${Math.round(median)} ms, longest ${Math.round(measured.at(-1) ?? 0)} ms`,
  );
  expect(bytes).toBeGreaterThan(0);
  expect(median).toBeLessThan(HEALTH_LIMIT);
});
