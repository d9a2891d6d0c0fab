import type { Contestant } from "./contestants.ts";
import { type Load, type Round, SECONDS } from "./load.ts";
import { median, spread } from "./statistics.ts";

const ROUNDS = 5;

/** Cores that other programs may use, at the median, before the figures are doubtful. */
const MAX_INTERFERENCE = 0.15;

/** A comparison to print. The first contestant is the base of the ratios. */
export interface Comparison {
  readonly title: string;
  readonly contestants: readonly Contestant[];
  readonly connections: readonly number[];
  readonly signatures: "right" | "wrong";
}

/** Alternates between the contestants, so that other load affects all equally. Prints medians and ratios. */
export async function compare(load: Load, comparison: Comparison): Promise<void> {
  const { title, contestants, connections, signatures } = comparison;
  // The first requests are slower: the runtime compiles, and files grow.
  for (const contestant of contestants) await load.run(contestant, 64, signatures);
  for (const count of connections) {
    const rounds = contestants.map((): Round[] => []);
    for (let round = 0; round < ROUNDS; round++) {
      for (const [at, contestant] of contestants.entries()) {
        rounds[at]?.push(await load.run(contestant, count, signatures));
      }
    }
    console.log(`\n${title}: ${count} connections, median of ${ROUNDS} rounds of ${SECONDS} s\n`);
    console.log("requests/s   ratio  (spread)      p50   CPU/request");
    for (const [at, { name }] of contestants.entries()) describe(name, rounds[at] ?? [], rounds[0] ?? []);
    reportInterference(rounds.flat().map(({ interference }) => interference));
  }
}

function describe(name: string, rounds: readonly Round[], base: readonly Round[]): void {
  const of = (property: keyof Round) => median(rounds.map((round) => round[property]));
  // Of rounds that follow each other, so that a change of the machine's speed does not count.
  const ratios = rounds.map(({ rate }, at) => rate / (base[at]?.rate ?? Number.NaN));
  const cells = [
    of("rate").toFixed(0).padStart(10),
    median(ratios).toFixed(3).padStart(7),
    `(${spread(ratios, 2)})`,
    `${of("latency").toFixed(2)} ms`.padStart(9),
    `${of("cpu").toFixed(0)} us`.padStart(8),
  ];
  console.log(`${cells.join("  ")}    ${name}`);
}

/** Prints how much other programs used the machine, and whether that was too much. */
export function reportInterference(values: readonly number[]): void {
  const middle = median(values);
  const verdict = middle > MAX_INTERFERENCE ? ": TOO NOISY, repeat the measurement" : "";
  console.log(`other programs used ${middle.toFixed(2)} cores (${spread(values, 2)})${verdict}`);
}
