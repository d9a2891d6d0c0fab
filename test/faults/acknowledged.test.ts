import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { SECRET } from "../support/configuration.ts";
import { Server, Workshop } from "../support/executable.ts";
import { Repository } from "../support/git.ts";
import { chooseSeed, Random } from "../support/random.ts";
import { Kept } from "../support/stored-data.ts";
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
queue = "latest" # else their queues fill up: pushes come faster than they are deployed
run = ["true"]
[[target]]
name = "list"
source = "everything"
directory = "list"
queue = "latest"
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

/** Kills a server during its start, when it may be recovering its store. */
async function killWhileStarting(random: Random): Promise<void> {
  const server = new Server(workshop.path, ["serve"], workshop.env({ SECRET }));
  await Bun.sleep(random.below(120));
  await server.end("SIGKILL");
}

/** Starts a server and its senders, and kills the server at a random time. */
async function killUnderLoad(load: Load): Promise<void> {
  const server = await workshop.serve([], { SECRET });
  const sending = load.run(server.url, SENDERS);
  await Bun.sleep(load.random.below(350));
  await server.end("SIGKILL");
  await sending;
}

/** Returns the acknowledged requests that the store does not contain as acknowledged. */
function findLost(acknowledged: readonly Acknowledged[]): readonly Acknowledged[] {
  return Kept.read(data(), (store) => acknowledged.filter((answer) => !isStored(answer, store)));
}

function isStored({ status, delivery, deployments, bodyDigest }: Acknowledged, store: Kept): boolean {
  if (store.digestOf(delivery) !== bodyDigest) return false;
  if (status === "duplicate") return deployments.length === 0;
  const found = store.deploymentsOf(delivery);
  const original = found.slice(0, deployments.length).map(({ id, target }) => ({ id, target }));
  return (
    Bun.deepEquals(original, deployments) &&
    found.slice(deployments.length).every(({ target }) => {
      // A target has a second deployment only after an interrupted one, and never a third.
      const ofTarget = found.filter((each) => each.target === target);
      return ofTarget.length === 2 && ofTarget[0]?.state === "interrupted";
    })
  );
}

test(
  `stores every delivery acknowledged with 2xx exactly once, with its deployments, over ${ROUNDS} kills under load`,
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
    await server.until(() => Kept.read(data(), (store) => store.unfinished === 0));
    expect(await server.end("SIGTERM")).toBe(0);

    const lost = findLost(load.acknowledged);
    const own = load.acknowledged.filter(({ status }) => status !== "duplicate");
    const reusedIds = own.length - new Set(own.map(({ delivery }) => delivery)).size;
    Kept.read(data(), (store) => {
      const duplicated = reusedIds + store.bodiesKeptTwice;
      console.log(
        `kill -9: ${ROUNDS} rounds, ${load.acknowledged.length} acknowledged, ` +
          `${load.acknowledged.length - lost.length} found, ${lost.length} lost, ${duplicated} duplicated ${seed}`,
      );
      expect({ lost, duplicated, rejections: load.rejections, integrity: store.integrity }, seed).toEqual({
        lost: [],
        duplicated: 0,
        rejections: [],
        integrity: "ok",
      });
      for (const target of ["count", "list", "site"]) {
        const deployments = store.deployments(target).filter(({ state }) => state !== "superseded");
        expect(deployments.at(-1), seed).toMatchObject({ state: "succeeded" });
      }
    });
  },
  times({ short: 120_000, long: 1_800_000 }),
);
