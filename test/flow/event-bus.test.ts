import { describe, expect, test } from "bun:test";
import type { ServerEvent } from "../../src/domain/server-event.ts";
import { createEventBus } from "../../src/flow/event-bus.ts";
import { TestClock } from "../support/clock.ts";

const unlocked = (target: string): ServerEvent => ({ kind: "lock", target, lock: null });
const output: ServerEvent = { kind: "output", deployment: 1 };

describe("event bus", () => {
  test("sends events to every subscriber until it unsubscribes", () => {
    const { publish, subscribe } = createEventBus(new TestClock());
    const [one, other]: [ServerEvent[], ServerEvent[]] = [[], []];
    const stop = subscribe((event) => one.push(event));
    subscribe((event) => other.push(event));
    publish(unlocked("blog"));
    stop();
    publish(unlocked("docs"));
    expect(one).toEqual([unlocked("blog")]);
    expect(other).toEqual([unlocked("blog"), unlocked("docs")]);
  });

  test("numbers events, so that a subscriber can resume after an id", () => {
    const { publish, subscribe, since } = createEventBus(new TestClock());
    const ids: number[] = [];
    subscribe((_, numbered) => void ids.push(numbered?.id ?? 0));
    for (const target of ["a", "b", "c"]) publish(unlocked(target));
    expect(ids[1]).toBeGreaterThan(ids[0] ?? Number.POSITIVE_INFINITY);
    expect(since(ids[0] ?? 0).map(({ event }) => event)).toEqual([unlocked("b"), unlocked("c")]);
    expect(since(ids[2] ?? 0)).toEqual([]);
  });

  test("forwards output events without an id and does not store them", () => {
    const { publish, subscribe, since } = createEventBus(new TestClock());
    const received: unknown[] = [];
    subscribe((event, numbered) => void received.push([event, numbered]));
    publish(output);
    expect(received).toEqual([[output, null]]);
    expect(since(0)).toEqual([]);
  });

  test("stores the last thousand events", () => {
    const { publish, since } = createEventBus(new TestClock());
    for (let count = 1; count <= 1005; count++) publish(unlocked(`t${count}`));
    expect(since(0)).toHaveLength(1000);
    expect(since(0)[0]?.event).toEqual(unlocked("t6"));
  });

  test("assigns higher ids after a restart", () => {
    const clock = new TestClock();
    const before = createEventBus(clock);
    for (let count = 0; count < 500; count++) before.publish(unlocked("blog"));
    clock.advance(1);
    const after = createEventBus(clock);
    after.publish(unlocked("docs"));
    expect(after.since(before.since(0).at(-1)?.id ?? 0)).toHaveLength(1);
  });

  test("removes a subscriber that throws, and sends events to the others", () => {
    const { publish, subscribe } = createEventBus(new TestClock());
    let calls = 0;
    const received: ServerEvent[] = [];
    subscribe(() => {
      calls++;
      throw new Error("the connection is gone");
    });
    subscribe((event) => void received.push(event));
    publish(unlocked("blog"));
    publish(unlocked("docs"));
    expect(calls).toBe(1);
    expect(received).toHaveLength(2);
  });
});
