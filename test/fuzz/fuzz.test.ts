import { expect, setDefaultTimeout, test } from "bun:test";
import { chooseSeed } from "../support/random.ts";
import { fuzz } from "./run.ts";

setDefaultTimeout(120_000);

test("five seconds of mutated requests cause no crash, no 500, no unauthenticated accept and no rejected valid request", async () => {
  const figures = await fuzz(5, chooseSeed());
  expect({ seed: figures.seed, violations: figures.violations }).toEqual({
    seed: figures.seed,
    violations: [],
  });
  expect(figures).toMatchObject({ crashes: 0, accepts: { unauthenticated: 0 } });
  expect(figures.accepts.authenticated).toBeGreaterThan(0);
  expect(figures.codes.get(401)).toBeGreaterThan(0);
});
