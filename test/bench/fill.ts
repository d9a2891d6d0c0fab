import { randomBytes, randomUUID } from "node:crypto";
import { stores } from "../../src/store/index.ts";
import { pushBody } from "../support/payloads.ts";

/** The number of concurrent accepts, as the event loop of a busy server groups them. */
const GROUP = 500;

/** Fills a data directory with distinct skipped pushes through the store. */
export async function fillStore(dataDir: string, count: number): Promise<void> {
  const store = await stores.sqlite(dataDir);
  const decisions = [
    { target: "t0", deploy: false, code: "branch", reason: 'branch "dev" is not "main"' },
  ] as const;
  const start = performance.now();
  for (let done = 0; done < count; done += GROUP) {
    await Promise.all(
      Array.from({ length: GROUP }, () => {
        const commit = randomBytes(20).toString("hex");
        return store.accept(
          {
            source: "github",
            event: "push",
            eventName: "push",
            action: null,
            status: "skipped",
            reason: 't0: branch "dev" is not "main"',
            receivedAt: new Date(),
            client: "192.0.2.1",
            identity: { id: randomUUID(), hook: "1" },
            headers: { "content-type": "application/json", "x-github-event": "push" },
            body: Buffer.from(pushBody({ after: commit })),
            decisions,
            otherTargets: 0,
          },
          {
            commitOf: () => commit,
            repeatedBody: "duplicate",
            onRedelivery: "run",
            detectDuplicates: true,
            replayOf: null,
          },
        );
      }),
    );
  }
  await store.close();
  console.log(
    `filled the store with ${count} deliveries in ${((performance.now() - start) / 1000).toFixed(0)} s`,
  );
}
