import { STATUS_CODES } from "node:http";
import { fuzz } from "./run.ts";

/** `bun run test:fuzz [seconds] [seed]` prints the figures of a run and exits with 1 when it finds a violation. */
const [seconds = "60", seed = String(1 + Math.floor(Math.random() * 0xffff_ff00))] = process.argv.slice(2);
if (!(Number(seconds) > 0) || !Number.isInteger(Number(seed))) {
  process.stderr.write("usage: fuzz [seconds] [seed]\n");
  process.exit(2);
}

const figures = await fuzz(Number(seconds), Number(seed));
const codes = [...figures.codes].toSorted(([a], [b]) => a - b);
const rows: readonly (readonly [string, number])[] = [
  ["seed", figures.seed],
  ["seconds", Number(seconds)],
  ["requests", figures.requests],
  ["  valid", figures.valid],
  ...codes.map(([code, count]) => [`  response ${code} ${STATUS_CODES[code] ?? ""}`, count] as const),
  ["  without a response", figures.unanswered],
  ["accepts with a valid signature, token or client", figures.accepts.authenticated],
  ["accepts without", figures.accepts.unauthenticated],
  ["crashes", figures.crashes],
  ["500s", figures.codes.get(500) ?? 0],
  ["health checks", figures.healthChecks],
  ["log lines", figures.logLines],
  ["violations", figures.violations.length],
];
for (const [what, count] of rows) process.stdout.write(`${what.padEnd(50)}${String(count).padStart(12)}\n`);
for (const violation of figures.violations.slice(0, 20)) process.stdout.write(`! ${violation}\n`);
process.exit(figures.violations.length === 0 ? 0 : 1);
