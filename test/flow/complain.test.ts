import { expect, test } from "bun:test";
import { complainSparingly } from "../../src/flow/complain.ts";
import { clockAt, logInto } from "../support/public.ts";

test("a flood of refusals leaves ten lines a second, and their number in the next", () => {
  const lines: string[] = [];
  const clock = clockAt("2026-11-21T12:00:00Z");
  const complain = complainSparingly(logInto(lines), clock);
  for (let count = 0; count < 1000; count++) complain({ client: "192.0.2.1" }, "refused");
  expect(lines).toHaveLength(10);
  clock.advance(1000);
  complain({ client: "192.0.2.2" }, "refused");
  complain({ client: "192.0.2.3" }, "refused");
  expect(lines.slice(10)).toEqual([
    'refused {"client":"192.0.2.2","lines_left_out":990}',
    'refused {"client":"192.0.2.3"}',
  ]);
});
