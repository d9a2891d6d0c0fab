import { expect, test } from "bun:test";
import { createThrottledLog } from "../../src/lib/log.ts";
import { TestClock } from "../support/clock.ts";
import { logInto } from "../support/public.ts";

test("a throttled log writes ten lines a second, and counts the omitted lines in the next", () => {
  const lines: string[] = [];
  const clock = new TestClock();
  const logThrottled = createThrottledLog(logInto(lines), clock);
  for (let count = 0; count < 1000; count++) logThrottled({ client: "192.0.2.1" }, "refused");
  expect(lines).toHaveLength(10);
  clock.advance(1000);
  logThrottled({ client: "192.0.2.2" }, "refused");
  logThrottled({ client: "192.0.2.3" }, "refused");
  expect(lines.slice(10)).toEqual([
    'refused {"client":"192.0.2.2","lines_left_out":990}',
    'refused {"client":"192.0.2.3"}',
  ]);
});
