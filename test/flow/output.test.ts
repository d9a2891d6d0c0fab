import { describe, expect, test } from "bun:test";
import type { Happening } from "../../src/domain/happening.ts";
import { bufferOutput } from "../../src/flow/output.ts";
import { logInto } from "../support/public.ts";

/** A store that keeps a batch when the test lets it. */
function slowStore() {
  const batches: (readonly string[])[] = [];
  let open = Promise.withResolvers<void>();
  return {
    batches,
    lines: () => batches.flat(),
    async appendOutput(_deployment: number, lines: readonly string[]) {
      batches.push(lines);
      await open.promise;
    },
    letThrough: () => open.resolve(),
    refuse: () => open.reject(new Error("the disk is full")),
    again: () => {
      open = Promise.withResolvers();
    },
  };
}

function collect(store: Pick<ReturnType<typeof slowStore>, "appendOutput">) {
  const log: string[] = [];
  const happenings: Happening[] = [];
  const publish = (happening: Happening) => void happenings.push(happening);
  return { log, happenings, output: bufferOutput(7, { store, log: logInto(log), publish }) };
}

/** 1,024 characters with the number in front. */
const kilobyte = (number: number) => String(number).padEnd(1024, ".");

describe("the output of a deployment", () => {
  test("is kept in batches, one after the other, and told of once it is kept", async () => {
    const store = slowStore();
    const { output, happenings } = collect(store);
    for (let line = 0; line < 600; line++) output.add(kilobyte(line));
    expect(store.batches).toHaveLength(1);
    expect(happenings).toEqual([]);
    store.letThrough();
    await output.flush();
    expect(store.lines()).toEqual(Array.from({ length: 600 }, (_, line) => kilobyte(line)));
    expect(store.batches).toHaveLength(2);
    expect(happenings).toEqual(Array(2).fill({ kind: "output", deployment: 7 }));
  });

  test("is kept at once by a store that works at once, however much comes in one go", async () => {
    let lines = 0;
    const { output } = collect({
      async appendOutput(_deployment, batch) {
        lines += batch.length;
      },
    });
    for (let chunk = 0; chunk < 100; chunk++) {
      for (let line = 0; line < 1024; line++) output.add(kilobyte(line));
      await Promise.resolve();
    }
    await output.flush();
    expect(lines).toBe(100 * 1024);
  });

  test("loses its oldest waiting lines when it comes faster than it is kept, and says how many", async () => {
    const store = slowStore();
    const { output } = collect(store);
    const all = 40 * 1024;
    for (let line = 0; line < all; line++) output.add(kilobyte(line));
    store.letThrough();
    await output.flush();
    const kept = store.lines();
    const at = kept.findIndex((line) => line.startsWith("[…"));
    const dropped = Number(/^\[… ([\d,]+) lines dropped/.exec(kept[at] ?? "")?.[1]?.replaceAll(",", ""));
    expect(kept[at]).toBe(
      `[… ${dropped.toLocaleString("en-US")} lines dropped: they came faster than they could be kept …]`,
    );
    expect(dropped).toBeGreaterThan(0);
    expect(kept.length - 1 + dropped).toBe(all);
    expect(kept[at - 1]).toBe(kilobyte(at - 1));
    expect(kept[at + 1]).toBe(kilobyte(at + dropped));
    expect(kept.at(-1)).toBe(kilobyte(all - 1));
    expect(kept.length).toBeLessThan(12 * 1024);
  });

  test("is bounded in empty lines too", async () => {
    const store = slowStore();
    const { output } = collect(store);
    for (let line = 0; line < 12 * 1024 * 1024; line++) output.add("");
    store.letThrough();
    await output.flush();
    expect(store.lines().some((line) => line.includes("lines dropped"))).toBe(true);
  });

  test("that cannot be kept is told in the log, and what comes later is kept", async () => {
    const store = slowStore();
    const { output, log, happenings } = collect(store);
    output.add("one");
    store.refuse();
    await output.flush();
    expect(log.join("\n")).toContain("the disk is full");
    expect(happenings).toEqual([]);
    store.again();
    store.letThrough();
    output.add("two");
    await output.flush();
    expect(store.lines()).toEqual(["one", "two"]);
    expect(happenings).toHaveLength(1);
  });

  test("is all kept when it is flushed the moment that another batch was", async () => {
    const store = slowStore();
    store.letThrough();
    const { output } = collect(store);
    for (let line = 0; line < 50; line++) {
      output.add(`line ${line}`);
      void output.flush();
      for (let turns = 0; turns < line % 7; turns++) await Promise.resolve();
    }
    await output.flush();
    expect(store.lines()).toEqual(Array.from({ length: 50 }, (_, line) => `line ${line}`));
  });
});
