import { expect, setDefaultTimeout, test } from "bun:test";
import { chooseSeed } from "../support/random.ts";
import { fuzz } from "./run.ts";

setDefaultTimeout(120_000);

test("five seconds of mutated requests: no 500, no crash, no accept without a right proof, and no right one refused", async () => {
  const figures = await fuzz(5, chooseSeed());
  expect({ seed: figures.seed, violations: figures.violations }).toEqual({
    seed: figures.seed,
    violations: [],
  });
  expect(figures).toMatchObject({ crashes: 0, accepts: { unproven: 0 } });
  expect(figures.accepts.proven).toBeGreaterThan(0);
  expect(figures.codes.get(401)).toBeGreaterThan(0);
});
