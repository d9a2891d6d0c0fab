import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ServedSite } from "../support/served-site.ts";
import { words } from "../support/words.ts";

setDefaultTimeout(120_000);

let site: ServedSite;

beforeEach(() => {
  site = new ServedSite();
});

afterEach(() => site.dispose());

/** Returns what `delivery list` prints about the target, and expects that `delivery show` prints it as well. */
async function readOutcome(delivery: number): Promise<string> {
  const list = await site.run("delivery", "list");
  const show = await site.run("delivery", "show", String(delivery));
  expect([list.exitCode, show.exitCode]).toEqual([0, 0]);
  const line = list.stdout.split("\n").find((each) => each.startsWith(`${delivery} `)) ?? "";
  const [, outcome = ""] = line.split(" blog: ");
  expect(outcome).not.toBe("");
  expect(show.stdout).toContain(outcome);
  return words(outcome, { [site.repository.tip.slice(0, 12)]: "<commit>" });
}

/** Pushes, expects that the push does not change the live release, and returns the outcome that the commands print. */
async function pushWithoutDeploying(changes: Record<string, unknown> = {}): Promise<string> {
  const live = site.current;
  const { body } = await site.push(changes);
  for (const { id } of body.deployments ?? []) await site.untilEnded(id);
  expect(site.current).toBe(live);
  return readOutcome(body.delivery);
}

/** Commits and expects that it is deployed. */
async function expectDeployed(files: Readonly<Record<string, string | null>>): Promise<void> {
  const commit = await site.deploy(files);
  expect((await site.readTarget()).live?.commit).toBe(commit);
}

describe("paths and ignore_paths", () => {
  const FILTER = `paths = ["src/**", "*.json"]\nignore_paths = ["**/*.md"]`;

  test("deploy a matching difference to the live release, and report why another push is skipped", async () => {
    await site.start({ target: FILTER });
    await expectDeployed({ "README.md": "first of all\n" });
    const outcomes: string[] = [];
    // `*` in `paths` does not match a slash, so the last file does not match.
    for (const file of ["docs/index.html", "src/deep/README.md", "deep/package.json"]) {
      site.repository.commit({ [file]: "{}\n" });
      outcomes.push(await pushWithoutDeploying());
    }
    expect(outcomes).toEqual([
      expect.stringMatching(/\b2\b/),
      expect.stringMatching(/\b3\b.*\b2\b/),
      expect.stringMatching(/\b4\b.*\b3\b/),
    ]);
    await expectDeployed({ "package.json": "{}\n" });
    await expectDeployed({ "src/a/b/c.ts": "c\n" });
    await expectDeployed({ "src/a/b/c.ts": null });
    expect(site.read("current/docs/index.html")).toBe("{}\n");
    const { code, reason } = await site.readDeployment(2);
    expect(code).toBe("paths_unchanged");
    expect((await site.run("deployment", "list")).stdout).toContain(` ${reason}\n`);
    expect([...outcomes, reason]).toMatchSnapshot();
  });

  test("ignore a change that is reverted before the push", async () => {
    await site.start({ target: FILTER });
    await expectDeployed({ "src/a.ts": "one\n" });
    site.repository.commit({ "src/a.ts": "two\n" });
    site.repository.commit({ "src/a.ts": "one\n" });
    const unchanged = await pushWithoutDeploying();
    // The difference is to the live release, so it includes the commits of skipped pushes.
    site.repository.commit({ "docs/a": "a\n" });
    expect([unchanged, await pushWithoutDeploying()]).toMatchSnapshot();
    site.repository.commit({ "src/b.ts": "b\n", "docs/a": null });
    await site.push();
    await site.untilEnded(4);
    expect((await site.readTarget()).live?.commit).toBe(site.repository.tip);
  });

  test("do not apply to a manual deployment", async () => {
    await site.start({ target: FILTER });
    await expectDeployed({ "src/a.ts": "one\n" });
    const commit = site.repository.commit({ "docs/a": "a\n" });
    expect(await site.run("target", "deploy", "blog", "--follow")).toMatchObject({ exitCode: 0 });
    expect((await site.readTarget()).live?.commit).toBe(commit);
  });
});

describe("[skip deploy]", () => {
  test.each(["Fix a typo\n\n[skip deploy]", "[Deploy Skip] typo"])(
    "in the message %p prevents the deployment of the push",
    async (message) => {
      await site.start({});
      await expectDeployed({ "index.html": "first\n" });
      const head_commit = JSON.parse(
        JSON.stringify({ id: site.repository.commit({ "index.html": "x\n" }, message), message }),
      );
      expect(await pushWithoutDeploying({ head_commit })).toMatchSnapshot();
      await expectDeployed({ "index.html": "second\n" });
      expect(site.read("current/index.html")).toBe("second\n");
    },
  );

  test("in a commit that was missed is recorded once when the server catches up", async () => {
    await site.start({ server: `catch_up_every = "200ms"` });
    await expectDeployed({ "index.html": "first\n" });
    await site.server.end("SIGTERM");
    site.repository.commit({ "index.html": "second\n" }, "typo [skip deploy]");
    await site.start();
    expect(await site.server.untilDeployed(2)).toMatchObject({ state: "cancelled" });
    const { reason, ...deployment } = await site.readDeployment(2);
    const { tip: commit } = site.repository;
    expect(deployment).toMatchObject({ code: "skip_requested", trigger: "catch-up", commit });
    expect(reason).toContain("[skip deploy]");
    expect(reason).toMatchSnapshot();
    // The server logs a debug line about a target each time that there is nothing to catch up with.
    const checks = () =>
      site.server.log.filter(({ level, target }) => level === "debug" && target === "blog");
    await site.server.until(() => checks().length >= 2);
    expect(await site.listDeployments()).toHaveLength(2);
    expect(site.read("current/index.html")).toBe("first\n");
  });
});

describe("a target of tags", () => {
  test("deploys the newest tag by version and reports why other refs are skipped", async () => {
    site.configure({ target: "" });
    const path = join(site.workshop.path, "hooklatch.toml");
    site.workshop.write(
      "hooklatch.toml",
      readFileSync(path, "utf8").replace('branch = "main"', 'tag = "v*"'),
    );
    await site.start();
    const pushTag = async (tag: string) => {
      const commit = site.repository.commit({ "index.html": `${tag}\n` });
      site.repository.git("tag", tag);
      const { body } = await site.push({
        ref: `refs/tags/${tag}`,
        head_commit: { id: commit, message: "A change" },
      });
      for (const { id } of body.deployments ?? []) await site.untilEnded(id);
      return body;
    };
    await pushTag("v9.0");
    await pushTag("v10.0");
    expect(site.read("current/index.html")).toBe("v10.0\n");
    expect((await site.readDeployment(2)).branch).toBe("v10.0");
    const { reason } = await pushTag("test-1");
    expect(reason).toMatch(/^blog: .*"test-1".*"v\*"/);
    const { body } = await site.push({ ref: "refs/heads/main" });
    expect(body.reason).toMatch(/^blog: .*"main"/);
    expect(body.reason).toBe(`blog: ${await readOutcome(body.delivery)}`);
    const list = (await site.run("target", "list")).stdout.split("\n");
    const row = list.find((line) => line.startsWith("blog ")) ?? "";
    expect(row).toContain("v*");
    const live = (await site.readTarget()).live?.commit?.slice(0, 12) ?? "";
    expect([reason, body.reason, words(row, { [live]: "<commit>" })]).toMatchSnapshot();
  });
});

describe("verify_commit", () => {
  test("deploys a commit signed by an allowed signer and reports why another commit is not deployed", async () => {
    const key = (name: string) => {
      const file = join(site.workshop.path, name);
      execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", file]);
      return file;
    };
    const [ada, eve] = [key("ada"), key("eve")];
    site.workshop.write("signers", `ada@example.com ${readFileSync(`${ada}.pub`, "utf8")}`);
    const signed = (file: string, page: string) => {
      site.workshop.write("origin/index.html", `${page}\n`);
      site.repository.git("add", "--all");
      const settings = ["-c", "gpg.format=ssh", "-c", `user.signingKey=${file}`];
      site.repository.git(...settings, "commit", "--quiet", "-S", "--message", page);
    };
    await site.start({ target: `verify_commit = true\nallowed_signers = "signers"` });
    signed(ada, "first");
    await site.push();
    expect(await site.untilEnded(1)).toMatchObject({ state: "succeeded" });
    site.repository.commit({ "index.html": "unsigned\n" });
    const unsigned = await pushWithoutDeploying();
    signed(eve, "eve's");
    const signedByOther = await pushWithoutDeploying();
    for (const outcome of [unsigned, signedByOther]) expect(outcome).toContain("allowed_signers");
    const own = signedByOther.replace(/(?<=allowed_signers: ).*/, "<message of ssh-keygen>");
    expect([unsigned, own]).toMatchSnapshot();
    // The check applies to manual deployments too.
    expect(await site.run("target", "deploy", "blog", "--follow")).toMatchObject({ exitCode: 1 });
    signed(ada, "second");
    await site.push();
    await site.untilEnded(5);
    expect(site.read("current/index.html")).toBe("second\n");
  });
});
