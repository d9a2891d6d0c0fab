import { expect, test } from "bun:test";
import type { ServerEvent } from "../../src/domain/server-event.ts";
import type { Source } from "../../src/domain/source.ts";
import { createAttemptLimiter } from "../../src/flow/attempt-limiter.ts";
import { authorise } from "../../src/flow/authorise.ts";
import { generic } from "../../src/providers/generic/index.ts";
import { TestClock } from "../support/clock.ts";
import { logInto, secretOf, VERIFY_TOKEN } from "../support/public.ts";
import { openTestStore } from "./test-store.ts";

test("publishes an event for an authorised client, and none for a rejected one", async () => {
  const opened = await openTestStore();
  const handler = generic.createHandler({ verify_token: secretOf(VERIFY_TOKEN), client_timeout: 1000 });
  const source: Source = {
    name: "webhook",
    provider: "generic",
    path: "/webhook",
    handler,
    print: false,
    keepHeaders: [],
    answer: { kind: "receipt" },
    onRedelivery: "run",
    allow: null,
  };
  if (handler.handshake === null) throw new Error("the provider has no handshake");
  const events: ServerEvent[] = [];
  const services = {
    store: opened.store,
    clock: new TestClock(),
    log: logInto([]),
    attemptLimiter: createAttemptLimiter(new TestClock()),
    publish: (event: ServerEvent) => void events.push(event),
  };
  for (const token of ["wrong", VERIFY_TOKEN]) {
    const query = new URLSearchParams({ verify_token: token });
    const request = { query, headers: new Headers(), client: "192.0.2.1" };
    await authorise(source, handler.handshake, request, services);
  }
  expect(events).toEqual([{ kind: "client", source: "webhook", address: "192.0.2.1", change: "authorised" }]);
  await opened.close();
});
