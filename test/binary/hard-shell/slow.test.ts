import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { isLong } from "../../faults/length.ts";
import type { RawConnection } from "../../support/raw.ts";
import { Shell, writeRequest } from "./shell.ts";

setDefaultTimeout(120_000);

let shell: Shell;

beforeAll(async () => {
  shell = await Shell.open();
});

afterAll(() => shell.close());

/** Sends a byte every second until the server closes the connection. */
async function trickle(connection: RawConnection, byte: string): Promise<void> {
  const timer = setInterval(() => connection.send(byte), 1000);
  await connection.untilClosed();
  clearInterval(timer);
}

describe("a slow client", () => {
  test("is disconnected while it sends the head, does not block others, and nothing is stored", async () => {
    await shell.storesNothing(async () => {
      const silent = shell.connect();
      const slow = shell.connect().send("POST /github-webhook HTTP/1.1\r\nHost: hooks.test\r\nX-Slow: ");
      const closed = Promise.all([silent.untilClosed(), trickle(slow, "x")]);
      expect(await shell.codes(writeRequest({ method: "GET", target: "/healthz" }))).toEqual([200]);
      await closed;
      expect([silent.answers, slow.answers]).toEqual([[], []]);
    });
  });

  test.if(isLong)("is disconnected while it sends the body, and nothing is stored", async () => {
    await shell.storesNothing(async () => {
      const whole = writeRequest({ body: `"${"x".repeat(1000)}"` });
      const slow = shell.connect().send(whole.slice(0, -1000));
      await trickle(slow, "x");
      for (const { status } of slow.answers) expect([400, 408]).toContain(status);
    });
  });
});
