import { describe, expect, test } from "bun:test";
import { AppError } from "../../src/lib/errors.ts";
import { createSemaphore } from "../../src/lib/semaphore.ts";

/** Returns a task that runs until the test resolves or rejects it. */
function createTask() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const task = { started: false, resolve, reject, run: () => promise };
  task.run = () => {
    task.started = true;
    return promise;
  };
  return task;
}

describe("semaphore", () => {
  test("runs as many tasks as it has slots and starts the waiting tasks in order", async () => {
    const pass = createSemaphore(2, 2);
    const tasks = [createTask(), createTask(), createTask(), createTask()];
    const results = tasks.map((task) => pass(task.run));
    const started = () => tasks.map((task) => task.started);
    expect(started()).toEqual([true, true, false, false]);
    tasks[1]?.resolve("second");
    expect(await results[1]).toBe("second");
    expect(started()).toEqual([true, true, true, false]);
    for (const task of tasks) task.resolve("done");
    expect(await Promise.all(results)).toEqual(["done", "second", "done", "done"]);
  });

  test("rejects a task as unavailable without starting it when the queue is full, and accepts later tasks", async () => {
    const pass = createSemaphore(1, 1);
    const [running, waiting, rejected, next] = [createTask(), createTask(), createTask(), createTask()];
    const results = [pass(running.run), pass(waiting.run)];
    const error = await pass(rejected.run).catch((fault: unknown) => fault);
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({ code: "unavailable" });
    expect(rejected.started).toBe(false);
    for (const task of [running, waiting, next]) task.resolve("done");
    await Promise.all(results);
    expect(await pass(next.run)).toBe("done");
  });

  test("gives the slot of a failed task to the next task", async () => {
    const pass = createSemaphore(1, 1);
    const [failing, next] = [createTask(), createTask()];
    const results = Promise.allSettled([pass(failing.run), pass(next.run)]);
    failing.reject(new Error("broken"));
    next.resolve("done");
    expect(await results).toMatchObject([{ status: "rejected" }, { status: "fulfilled", value: "done" }]);
  });
});
