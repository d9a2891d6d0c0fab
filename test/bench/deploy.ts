import { existsSync, mkdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { describeTarget, SECRET, writeConfiguration } from "../support/configuration.ts";
import type { Workshop } from "../support/executable.ts";
import { GIT_ENV, Repository } from "../support/git.ts";
import { deliver } from "../support/github.ts";
import { pushBody } from "../support/payloads.ts";

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

/**
 * Measures pushes that change one of a hundred files, from the request to the new `current` link. Alternates with the
 * same work in a shell script, so that other load affects both equally.
 */
export async function benchDeploy(workshop: Workshop): Promise<void> {
  const repository = new Repository(join(workshop.path, "origin"));
  repository.commit(
    Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`page-${at}.html`, `page ${at}\n`])),
  );
  const targets = describeTarget("blog", "site", repository, `run = [${JSON.stringify(STEP)}]`);
  const server = await workshop.serve(["--config", writeConfiguration(workshop, { targets })], { SECRET });
  const site = join(workshop.path, "site");
  const hand = join(workshop.path, "hand");
  mkdirSync(join(hand, "releases"), { recursive: true });
  run(["git", "clone", "--quiet", "--bare", repository.path, "repo"], hand);

  const times = { hooklatch: [] as number[], byHand: [] as number[] };
  for (let round = 0; round < ROUNDS; round += 1) {
    const commit = repository.commit({ "index.html": `round ${round}\n` });
    let start = performance.now();
    run(["sh", "-c", BY_HAND], hand);
    times.byHand.push(performance.now() - start);

    start = performance.now();
    await deliver(new URL("/github-webhook", server.url), "push", pushBody({ after: commit }), {
      secret: SECRET,
    });
    while (!isLive(site, commit)) await Bun.sleep(1);
    times.hooklatch.push(performance.now() - start);
    await server.untilDeployed(round + 1);
  }
  await server.end("SIGTERM");

  const [ours, theirs] = [median(times.hooklatch), median(times.byHand)];
  console.log(`\nFrom a push to what is live, median of ${ROUNDS}`);
  console.log(`${theirs.toFixed(0).padStart(8)} ms  git and the step by hand`);
  console.log(
    `${ours.toFixed(0).padStart(8)} ms  hooklatch, from the request to the new link: ${(ours - theirs).toFixed(0)} ms more`,
  );
}

function isLive(site: string, commit: string): boolean {
  const link = join(site, "current");
  return existsSync(link) && readlinkSync(link).endsWith(commit.slice(0, 12));
}

function run(command: readonly string[], cwd: string): void {
  const { exitCode, stderr } = Bun.spawnSync([...command], { cwd, env: { ...process.env, ...GIT_ENV } });
  if (exitCode !== 0) throw new Error(stderr.toString());
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
