import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Workshop } from "../support/executable.ts";
import { compare } from "./compare.ts";
import { type Contestant, SECRET, startBare, startHooklatch, startWebhook } from "./contestants.ts";
import { benchDeploy } from "./deploy.ts";
import { fillStore } from "./fill.ts";
import { benchLists } from "./lists.ts";
import { Load } from "./load.ts";
import { benchRenewal } from "./renew.ts";
import { benchStart } from "./start.ts";

/**
 * `bun run bench accept | refuse | history` compares requests per second in one run and prints ratios, because machines
 * differ and are shared. Needs wrk. adnanh/webhook is measured if it is installed (both are Debian packages).
 * `bun run bench deploy` measures the time from a push to the live release, compared with git and the step alone.
 * `bun run bench start` measures the time to the first answer and the memory of an idle server.
 * `bun run bench renew` counts the connections that are lost when a certificate is renewed.
 *
 * `--against FILE` also measures another executable of hooklatch, except in `history` and `renew`.
 */

const ADMIN_TOKEN = "the admin token of the bench";

const { positionals, values } = parseArgs({
  args: process.argv.slice(2),
  allowPositionals: true,
  options: {
    against: { type: "string" },
    connections: { type: "string", default: "64,2,256" },
    rows: { type: "string", default: "1000000" },
  },
});
const against = values.against ?? null;
const connections = values.connections.split(",").map(Number);

const directory = mkdtempSync(join(tmpdir(), "hooklatch-bench-"));
const workshop = new Workshop();

/** hooklatch and what it is compared with. The first is the base of the ratios. */
async function startAll(name: string): Promise<readonly Contestant[]> {
  const all = [
    await startBare(),
    await startHooklatch(workshop, name),
    against === null ? null : await startHooklatch(workshop, `${name}, ${against}`, { executable: against }),
    await startWebhook(directory),
  ];
  return all.filter((one) => one !== null);
}

async function compareAll(
  contestants: readonly Contestant[],
  title: string,
  signatures: "right" | "wrong",
  counts: readonly number[] = connections,
): Promise<void> {
  await compare(new Load(directory, SECRET), { title, contestants, connections: counts, signatures });
}

const endAll = (contestants: readonly Contestant[]) => Promise.all(contestants.map(({ end }) => end()));

const benches: Readonly<Record<string, () => Promise<void>>> = {
  async accept() {
    const contestants = await startAll("hooklatch, on disk before the answer");
    await compareAll(contestants, "Accepting signed pushes", "right");
    await endAll(contestants);
  },
  async refuse() {
    const contestants = await startAll("hooklatch");
    await compareAll(contestants, "Refusing wrong signatures", "wrong");
    await endAll(contestants);
  },
  async history() {
    const rows = Number(values.rows);
    const empty = await startHooklatch(workshop, "hooklatch, empty store, 1 target");
    const many = await startHooklatch(workshop, "hooklatch, empty store, 1,000 targets", { targets: 1000 });
    const full = await startHooklatch(workshop, `hooklatch, ${rows} stored deliveries, 1 target`, {
      adminToken: ADMIN_TOKEN,
      prepare: (dataDirectory) => fillStore(dataDirectory, rows),
    });
    const contestants = [empty, many, full];
    await compareAll(contestants, "Accepting signed pushes", "right", connections.slice(0, 1));
    await benchLists(full.adminUrl, ADMIN_TOKEN);
    await endAll(contestants);
  },
  deploy: () => benchDeploy(workshop, against),
  start: () => benchStart(workshop, against),
  renew: () => benchRenewal(workshop),
};

const NEED_WRK = ["accept", "refuse", "history"];

async function main(name: string): Promise<void> {
  const bench = benches[name];
  if (bench === undefined || (NEED_WRK.includes(name) && Bun.which("wrk") === null)) {
    console.error(`usage: bun run bench ${Object.keys(benches).join(" | ")}   (${NEED_WRK} need wrk)`);
    process.exitCode = 2;
    return;
  }
  await bench();
}

try {
  await main(positionals[0] ?? "accept");
} finally {
  await workshop.dispose();
  rmSync(directory, { recursive: true, force: true });
}
