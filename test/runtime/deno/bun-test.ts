import { after, afterEach, before, beforeEach, describe as describeNode, test as testNode } from "node:test";
import { inspect } from "node:util";
import { expect } from "expect";

/** The parts of `bun:test` that the contract suites use, for Deno: on its `node:test`, and Jest's `expect`. */

type Body = (...args: unknown[]) => unknown;

function withVariants(run: (name: string, body: Body) => void) {
  const skipIf = (isSkipped: boolean) => (isSkipped ? withVariants(() => {}) : withVariants(run));
  return Object.assign(run, {
    skipIf,
    each: (rows: readonly unknown[]) => (name: string, body: Body) => {
      for (const row of rows) {
        const args = Array.isArray(row) ? row : [row];
        run(fill(name, args), () => body(...args));
      }
    },
  });
}

/** Puts arguments in the places of a name, such as `%s`. */
function fill(name: string, args: readonly unknown[]): string {
  let next = 0;
  return name.replace(/%[a-z]/g, () => {
    const arg = args[next++];
    return typeof arg === "string" ? arg : inspect(arg);
  });
}

expect.extend({
  toStartWith: (text: unknown, start: string) =>
    check(String(text).startsWith(start), `to start with ${start}`),
  toEndWith: (text: unknown, end: string) => check(String(text).endsWith(end), `to end with ${end}`),
  toBeNumber: (value: unknown) => check(typeof value === "number", "to be a number"),
  toSatisfy: (value: unknown, holds: (value: unknown) => boolean) =>
    check(holds(value), "to satisfy the condition"),
  // The snapshots hold wording, which does not depend on the runtime: the run on Bun compares it.
  toMatchSnapshot: () => check(true, "to match the snapshot"),
});

function check(pass: boolean, expectation: string) {
  return { pass, message: () => `expected it${pass ? " not" : ""} ${expectation}` };
}

export const test = withVariants((name, body) => void testNode(name, async () => void (await body())));
export const describe = withVariants((name, body) => void describeNode(name, () => void body()));
export { after as afterAll, afterEach, before as beforeAll, beforeEach, expect };
export function setDefaultTimeout(): void {}
