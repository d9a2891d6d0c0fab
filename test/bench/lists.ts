import { median } from "./statistics.ts";

const ROUNDS = 21;

/** Lists of deliveries as operators ask for them. */
const LISTS = [
  "?limit=50",
  "?limit=500",
  "?limit=50&source=github",
  "?limit=50&status=skipped",
  "?limit=50&target=t0",
  "?limit=50&before=500000",
] as const;

/** Prints the time of a page of each list. */
export async function benchLists(adminUrl: URL, token: string): Promise<void> {
  console.log(`\nA page of deliveries from the admin API, median of ${ROUNDS}\n`);
  for (const list of LISTS) {
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const start = performance.now();
      const response = await fetch(new URL(`/api/deliveries${list}`, adminUrl), {
        headers: { authorization: `Bearer ${token}` },
      });
      if (!response.ok) throw new Error(`${list} was answered ${response.status}`);
      await response.text();
      times.push(performance.now() - start);
    }
    console.log(`${median(times).toFixed(1).padStart(8)} ms  ${list}`);
  }
}
