import { existsSync, mkdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { describeTarget, SECRET, writeConfiguration } from "../support/configuration.ts";
import { EXECUTABLE, type Server, Workshop } from "../support/executable.ts";
import { GIT_ENV, Repository } from "../support/git.ts";
import { deliver } from "../support/github.ts";
import { pushBody } from "../support/payloads.ts";
import { median, spread } from "./statistics.ts";

const ROUNDS = 25;
const STEP = "tr a-z A-Z < index.html > built.html";

/** The same work in a shell script: the fetch, a new working tree, the step and the link. */
const BY_HAND = `
set -e
git --git-dir=repo fetch --quiet --no-auto-gc origin +refs/heads/main:refs/heads/tip
commit=$(git --git-dir=repo rev-parse refs/heads/tip)
git --git-dir=repo worktree add --quiet --detach "releases/$commit" "$commit"
( cd "releases/$commit" && ${STEP} )
ln -s "releases/$commit" next && mv -T next current
`;

/** A hooklatch that deploys the repository, and the times of its deployments in milliseconds. */
interface Deployer {
  readonly name: string;
  readonly site: string;
  readonly server: Server;
  readonly times: number[];
}

async function startDeployer(
  workshop: Workshop,
  repository: Repository,
  executable: string,
): Promise<Deployer> {
  const targets = describeTarget("blog", "site", repository, `run = [${JSON.stringify(STEP)}]`);
  const config = writeConfiguration(workshop, { targets });
  const server = await workshop.serve(["--config", config], { SECRET }, { executable });
  const name = `hooklatch, from the request to the new link${executable === EXECUTABLE ? "" : `, ${executable}`}`;
  return { name, site: join(workshop.path, "site"), server, times: [] };
}

async function deployOnce({ server, site, times }: Deployer, commit: string, round: number): Promise<void> {
  const start = performance.now();
  await deliver(new URL("/github-webhook", server.url), "push", pushBody({ after: commit }), {
    secret: SECRET,
  });
  while (!isLive(site, commit)) await Bun.sleep(1);
  times.push(performance.now() - start);
  await server.untilDeployed(round + 1);
}

/**
 * Measures pushes that change one of a hundred files, from the request to the new `current` link. Alternates with the
 * same work in a shell script, so that other load affects both equally.
 */
export async function benchDeploy(workshop: Workshop, against: string | null): Promise<void> {
  const repository = new Repository(join(workshop.path, "origin"));
  repository.commit(
    Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`page-${at}.html`, `page ${at}\n`])),
  );
  const other = new Workshop();
  const deployers = [await startDeployer(workshop, repository, EXECUTABLE)];
  if (against !== null) deployers.push(await startDeployer(other, repository, against));
  const hand = join(workshop.path, "hand");
  mkdirSync(join(hand, "releases"), { recursive: true });
  run(["git", "clone", "--quiet", "--bare", repository.path, "repo"], hand);

  const byHand: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const commit = repository.commit({ "index.html": `round ${round}\n` });
    const start = performance.now();
    run(["sh", "-c", BY_HAND], hand);
    byHand.push(performance.now() - start);
    for (const deployer of deployers) await deployOnce(deployer, commit, round);
  }
  for (const { server } of deployers) await server.end("SIGTERM");
  await other.dispose();

  console.log(`\nFrom a push to what is live, median of ${ROUNDS}\n`);
  console.log(`${median(byHand).toFixed(0).padStart(8)} ms (${spread(byHand, 0)})  git and the step by hand`);
  for (const { name, times } of deployers) {
    const more = median(times.map((time, at) => time - (byHand[at] ?? 0)));
    console.log(
      `${median(times).toFixed(0).padStart(8)} ms (${spread(times, 0)})  ${more.toFixed(0)} ms more: ${name}`,
    );
  }
}

function isLive(site: string, commit: string): boolean {
  const link = join(site, "current");
  return existsSync(link) && readlinkSync(link).endsWith(commit.slice(0, 12));
}

function run(command: readonly string[], cwd: string): void {
  const { exitCode, stderr } = Bun.spawnSync([...command], { cwd, env: { ...process.env, ...GIT_ENV } });
  if (exitCode !== 0) throw new Error(stderr.toString());
}
