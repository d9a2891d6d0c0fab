import { expect, test } from "bun:test";
import type { Happening } from "../../src/domain/happening.ts";
import type { Source } from "../../src/domain/source.ts";
import { authorise } from "../../src/flow/authorise.ts";
import { countGuesses } from "../../src/flow/guesses.ts";
import { generic } from "../../src/providers/generic.ts";
import { logInto, secretOf, VERIFY_TOKEN } from "../support/public.ts";
import { openKeptStore } from "./kept-store.ts";
import { ManualClock } from "./manual-clock.ts";

test("publishes an event for an authorised client, and none for a rejected one", async () => {
  const opened = await openKeptStore();
  const dialect = generic.open({ verify_token: secretOf(VERIFY_TOKEN), client_timeout: 1000 });
  const source: Source = {
    name: "webhook",
    provider: "generic",
    path: "/webhook",
    dialect,
    print: false,
    onRedelivery: "run",
    allow: null,
  };
  if (dialect.handshake === null) throw new Error("the provider has no handshake");
  const events: Happening[] = [];
  const tools = {
    store: opened.store,
    clock: new ManualClock(),
    log: logInto([]),
    complain: () => {},
    guesses: countGuesses(new ManualClock()),
    publish: (event: Happening) => void events.push(event),
  };
  for (const token of ["wrong", VERIFY_TOKEN]) {
    const query = new URLSearchParams({ verify_token: token });
    const request = { query, headers: new Headers(), client: "192.0.2.1" };
    await authorise(source, dialect.handshake, request, tools);
  }
  expect(events).toEqual([{ kind: "client", source: "webhook", address: "192.0.2.1", change: "authorised" }]);
  await opened.close();
});
