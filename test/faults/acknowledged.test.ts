import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { SECRET } from "../support/configuration.ts";
import { Server, Workshop } from "../support/executable.ts";
import { Repository } from "../support/git.ts";
import { Kept } from "../support/kept.ts";
import { chooseSeed, Random } from "../support/random.ts";
import { times } from "./length.ts";
import { type Acknowledged, Load } from "./load.ts";

setDefaultTimeout(120_000);

const ROUNDS = times({ short: 50, long: 500 });
const SENDERS = 6;

let workshop: Workshop;
let repository: Repository;

beforeEach(() => {
  workshop = new Workshop();
  repository = new Repository(join(workshop.path, "origin"));
});

afterEach(() => workshop.dispose());

function configure(): void {
  for (const directory of ["count", "list"]) workshop.write(`${directory}/index.html`, "hello\n");
  workshop.write(
    "hooklatch.toml",
    `data_dir = "data"
[server]
port = 0
[[source]]
name = "everything"
provider = "github"
path = "/everything"
secrets = ["env:SECRET"]
[[source]]
name = "blog"
provider = "github"
path = "/blog"
secrets = ["env:SECRET"]
[[target]]
name = "count"
source = "everything"
directory = "count"
run = ["true"]
[[target]]
name = "list"
source = "everything"
directory = "list"
run = [["true"]]
[[target]]
name = "site"
source = "blog"
repository = "octocat/blog"
branch = "main"
clone_url = ${JSON.stringify(repository.path)}
directory = "site"
run = []
`,
  );
}

const data = () => join(workshop.path, "data");

/** Kills a server that is only starting: it may be in the middle of putting its store in order. */
async function killWhileStarting(random: Random): Promise<void> {
  const server = new Server(workshop.path, ["serve"], workshop.env({ SECRET }));
  await Bun.sleep(random.below(120));
  await server.end("SIGKILL");
}

/** One round: a server, its senders, and the kill at a moment that nobody chose. */
async function killUnderLoad(load: Load): Promise<void> {
  const server = await workshop.serve([], { SECRET });
  const pressed = load.press(server.url, SENDERS);
  await Bun.sleep(load.random.below(350));
  await server.end("SIGKILL");
  await pressed;
}

/** Those of the noted answers that the store does not bear out. */
function findLost(acknowledged: readonly Acknowledged[]): readonly Acknowledged[] {
  return Kept.read(data(), (kept) => acknowledged.filter((answer) => !isKept(answer, kept)));
}

function isKept({ status, delivery, deployments, bodyDigest }: Acknowledged, kept: Kept): boolean {
  if (kept.digestOf(delivery) !== bodyDigest) return false;
  if (status === "duplicate") return deployments.length === 0;
  const found = kept.deploymentsOf(delivery);
  const asked = found.slice(0, deployments.length).map(({ id, target }) => ({ id, target }));
  return (
    Bun.deepEquals(asked, deployments) &&
    found.slice(deployments.length).every(({ target }) => {
      // One more only for one that was interrupted, and for that only one.
      const ofTarget = found.filter((each) => each.target === target);
      return ofTarget.length === 2 && ofTarget[0]?.state === "interrupted";
    })
  );
}

test(
  `keeps every delivery it answered 2xx, with its deployments, and none twice, over ${ROUNDS} times kill -9 under load`,
  async () => {
    configure();
    const random = new Random(chooseSeed());
    const load = new Load(random, SECRET, repository.commit({ "index.html": "hello\n" }), [
      { path: "/everything", branch: "main", weight: 3 },
      { path: "/blog", branch: "main", weight: 1 },
      { path: "/blog", branch: "dev", weight: 6 },
    ]);
    const seed = `(FAULTS_SEED=${random.seed})`;

    for (let round = 1; round <= ROUNDS; round++) {
      const before = load.acknowledged.length;
      if (random.below(5) === 0) await killWhileStarting(random);
      await killUnderLoad(load);
      expect(findLost(load.acknowledged.slice(before)), `lost in round ${round} ${seed}`).toEqual([]);
    }
    const server = await workshop.serve([], { SECRET });
    await load.sendToEach(server.url);
    await server.until(() => Kept.read(data(), (kept) => kept.unfinished === 0));
    expect(await server.end("SIGTERM")).toBe(0);

    const lost = findLost(load.acknowledged);
    const own = load.acknowledged.filter(({ status }) => status !== "duplicate");
    const sharedNumbers = own.length - new Set(own.map(({ delivery }) => delivery)).size;
    Kept.read(data(), (kept) => {
      const twice = sharedNumbers + kept.bodiesKeptTwice;
      console.log(
        `kill -9: ${ROUNDS} rounds, ${load.acknowledged.length} acknowledged, ` +
          `${load.acknowledged.length - lost.length} found, ${lost.length} lost, ${twice} twice ${seed}`,
      );
      expect({ lost, twice, refusals: load.refusals, integrity: kept.integrity }, seed).toEqual({
        lost: [],
        twice: 0,
        refusals: [],
        integrity: "ok",
      });
      for (const target of ["count", "list", "site"]) {
        const deployments = kept.deployments(target).filter(({ state }) => state !== "superseded");
        expect(deployments.at(-1), seed).toMatchObject({ state: "succeeded" });
      }
    });
  },
  times({ short: 120_000, long: 1_800_000 }),
);
