import { describe, expect, test } from "bun:test";
import type { ServerEvent } from "../../src/domain/server-event.ts";
import { createOutputBuffer } from "../../src/flow/output.ts";
import { RecordedLog } from "./recorded-log.ts";

/** A store whose writes are pending until the test completes or fails them. */
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
    complete: () => open.resolve(),
    fail: () => open.reject(new Error("the disk is full")),
    hold: () => {
      open = Promise.withResolvers();
    },
  };
}

function collect(store: Pick<ReturnType<typeof slowStore>, "appendOutput">) {
  const log = new RecordedLog();
  const events: ServerEvent[] = [];
  const publish = (event: ServerEvent) => void events.push(event);
  return { log, events, output: createOutputBuffer(7, { store, log, publish }) };
}

/** 1,024 characters that start with the number. */
const kilobyte = (number: number) => String(number).padEnd(1024, ".");

describe("the output of a deployment", () => {
  test("is stored in batches, one after the other, and published after it is stored", async () => {
    const store = slowStore();
    const { output, events } = collect(store);
    for (let line = 0; line < 600; line++) output.add(kilobyte(line));
    expect(store.batches).toHaveLength(1);
    expect(events).toEqual([]);
    store.complete();
    await output.flush();
    expect(store.lines()).toEqual(Array.from({ length: 600 }, (_, line) => kilobyte(line)));
    expect(store.batches).toHaveLength(2);
    expect(events).toEqual(Array(2).fill({ kind: "output", deployment: 7 }));
  });

  test("is stored with U+FFFD in place of NUL, which not every store can hold", async () => {
    const store = slowStore();
    store.complete();
    const { output } = collect(store);
    for (const line of ["\0", "a\0\0b\u0001"]) output.add(line);
    await output.flush();
    expect(store.lines()).toEqual(["\ufffd", "a\ufffd\ufffdb\u0001"]);
  });

  test("is stored completely by a synchronous store, even when much arrives at once", async () => {
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

  test("waits for a store that is too slow, and holds a few batches meanwhile", async () => {
    const store = slowStore();
    const { output } = collect(store);
    let isReady = true;
    let lines = 0;
    const addUntilFull = async () => {
      for (isReady = true; isReady && lines < 40 * 1024; ) {
        output.add(kilobyte(lines++));
        isReady = false;
        void output.whenReady().then(() => {
          isReady = true;
        });
        await Promise.resolve();
        await Promise.resolve();
      }
    };
    await addUntilFull();
    expect(isReady).toBe(false);
    expect(lines).toBeLessThan(2 * 1024);
    store.complete();
    await output.whenReady();
    await output.flush();
    expect(store.lines()).toEqual(Array.from({ length: lines }, (_, line) => kilobyte(line)));
    await addUntilFull();
    await output.flush();
    expect(store.lines()).toHaveLength(40 * 1024);
  });

  test("that cannot be stored is logged and dropped, and later output is stored", async () => {
    const store = slowStore();
    const { output, log, events } = collect(store);
    output.add("one");
    store.fail();
    await output.flush();
    expect(log.entries).toMatchObject([
      { level: "warn", fields: { deployment: 7, lines: 1, err: { message: "the disk is full" } } },
    ]);
    expect(log.messages).toMatchSnapshot();
    expect(events).toEqual([]);
    store.hold();
    store.complete();
    output.add("two");
    await output.flush();
    expect(store.lines()).toEqual(["one", "two"]);
    expect(events).toHaveLength(1);
  });

  test("is stored completely when flushes overlap", async () => {
    const store = slowStore();
    store.complete();
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
