import { describe, expect, test } from "bun:test";
import { Fault } from "../../src/domain/fault.ts";
import { createGate } from "../../src/providers/gate.ts";

/** A work that runs until it is told to end. */
function makeWork() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const work = { started: false, resolve, reject, run: () => promise };
  work.run = () => {
    work.started = true;
    return promise;
  };
  return work;
}

describe("a gate", () => {
  test("runs as many works as it has places for, and the others in their order", async () => {
    const pass = createGate(2, 2);
    const works = [makeWork(), makeWork(), makeWork(), makeWork()];
    const results = works.map((work) => pass(work.run));
    const started = () => works.map((work) => work.started);
    expect(started()).toEqual([true, true, false, false]);
    works[1]?.resolve("second");
    expect(await results[1]).toBe("second");
    expect(started()).toEqual([true, true, true, false]);
    for (const work of works) work.resolve("done");
    expect(await Promise.all(results)).toEqual(["done", "second", "done", "done"]);
  });

  test("refuses what has no place to wait as unavailable, without starting it, and takes the next one again", async () => {
    const pass = createGate(1, 1);
    const [running, waiting, refused, next] = [makeWork(), makeWork(), makeWork(), makeWork()];
    const results = [pass(running.run), pass(waiting.run)];
    const error = await pass(refused.run).catch((fault: unknown) => fault);
    expect(error).toBeInstanceOf(Fault);
    expect(error).toMatchObject({ code: "unavailable" });
    expect(refused.started).toBe(false);
    for (const work of [running, waiting, next]) work.resolve("done");
    await Promise.all(results);
    expect(await pass(next.run)).toBe("done");
  });

  test("gives the place of a work that failed to the next", async () => {
    const pass = createGate(1, 1);
    const [failing, next] = [makeWork(), makeWork()];
    const results = Promise.allSettled([pass(failing.run), pass(next.run)]);
    failing.reject(new Error("broken"));
    next.resolve("done");
    expect(await results).toMatchObject([{ status: "rejected" }, { status: "fulfilled", value: "done" }]);
  });
});
