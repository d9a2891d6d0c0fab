import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ServedSite } from "../support/served-site.ts";

setDefaultTimeout(120_000);

let site: ServedSite;

beforeEach(() => {
  site = new ServedSite();
});

afterEach(() => site.dispose());

/** What a person reads of a delivery: its line in the list, and all of it. */
async function read(delivery: number): Promise<{ line: string; shown: string }> {
  const list = await site.run("delivery", "list");
  const show = await site.run("delivery", "show", String(delivery));
  expect([list.exitCode, show.exitCode]).toEqual([0, 0]);
  const line = list.stdout.split("\n").find((each) => each.startsWith(`${delivery} `)) ?? "";
  return { line, shown: show.stdout };
}

/** Pushes and expects that it ends with nothing new live, for a reason that both the list and the delivery tell. */
async function expectNotDeployed(reason: string): Promise<void> {
  const live = site.current;
  const { body } = await site.push();
  for (const { id } of body.deployments ?? []) await site.untilEnded(id);
  const { line, shown } = await read(body.delivery);
  expect(line).toContain(reason);
  expect(shown).toContain(reason);
  expect(site.current).toBe(live);
}

/** Commits and expects that it is deployed. */
async function expectDeployed(files: Readonly<Record<string, string | null>>): Promise<void> {
  const commit = await site.deploy(files);
  expect((await site.readTarget()).live?.commit).toBe(commit);
}

describe("paths and ignore_paths", () => {
  const FILTER = `paths = ["src/**", "*.json"]\nignore_paths = ["**/*.md"]`;
  const DOES_NOT_FIT = "from what is live does not fit paths and not ignore_paths";
  const NONE_FITS = "from what is live fits paths and not ignore_paths";

  test("deploy what differs from what is live, and tell of each push why it is not", async () => {
    await site.start({ target: FILTER });
    await expectDeployed({ "README.md": "first of all\n" });
    site.repository.commit({ "docs/index.html": "text\n" });
    await expectNotDeployed(`deployment 2 was skipped: the one file that differs ${DOES_NOT_FIT}`);
    site.repository.commit({ "src/deep/README.md": "text\n" });
    await expectNotDeployed(`deployment 3 was skipped: none of the 2 files that differ ${NONE_FITS}`);
    // `*` stays within a directory.
    site.repository.commit({ "deep/package.json": "{}\n" });
    await expectNotDeployed(`deployment 4 was skipped: none of the 3 files that differ ${NONE_FITS}`);
    await expectDeployed({ "package.json": "{}\n" });
    await expectDeployed({ "src/a/b/c.ts": "c\n" });
    await expectDeployed({ "src/a/b/c.ts": null });
    expect(site.read("current/docs/index.html")).toBe("text\n");
    expect((await site.run("deployment", "list")).stdout).toContain("skipped: the one file");
  });

  test("look at the net difference: a change and its revert are nothing", async () => {
    await site.start({ target: FILTER });
    await expectDeployed({ "src/a.ts": "one\n" });
    site.repository.commit({ "src/a.ts": "two\n" });
    site.repository.commit({ "src/a.ts": "one\n" });
    await expectNotDeployed("no file differs from what is live");
    // What was skipped is part of the difference to the next: it is what is live that counts.
    site.repository.commit({ "docs/a": "a\n" });
    await expectNotDeployed("from what is live does not fit paths");
    site.repository.commit({ "src/b.ts": "b\n", "docs/a": null });
    await site.push();
    await site.untilEnded(4);
    expect((await site.readTarget()).live?.commit).toBe(site.repository.tip);
  });

  test("do not hold what a person asks for", async () => {
    await site.start({ target: FILTER });
    await expectDeployed({ "src/a.ts": "one\n" });
    const commit = site.repository.commit({ "docs/a": "a\n" });
    expect(await site.run("target", "deploy", "blog", "--follow")).toMatchObject({ exitCode: 0 });
    expect((await site.readTarget()).live?.commit).toBe(commit);
  });
});

describe("[skip deploy]", () => {
  test.each(["Fix a typo\n\n[skip deploy]", "[Deploy Skip] typo"])(
    "in %p keeps the push from being deployed",
    async (message) => {
      await site.start({});
      await expectDeployed({ "index.html": "first\n" });
      const head_commit = JSON.parse(
        JSON.stringify({ id: site.repository.commit({ "index.html": "x\n" }, message), message }),
      );
      const live = site.current;
      const { body } = await site.push({ head_commit });
      for (const { id } of body.deployments ?? []) await site.untilEnded(id);
      expect(site.current).toBe(live);
      const { line, shown } = await read(body.delivery);
      for (const text of [line, shown]) expect(text).toMatch(/skip/);
      await expectDeployed({ "index.html": "second\n" });
      expect(site.read("current/index.html")).toBe("second\n");
    },
  );

  test("in a tip that catching up finds is told in the history, once", async () => {
    await site.start({ server: `catch_up_every = "200ms"` });
    await expectDeployed({ "index.html": "first\n" });
    await site.server.end("SIGTERM");
    site.repository.commit({ "index.html": "second\n" }, "typo [skip deploy]");
    await site.start();
    expect(await site.server.untilDeployed(2)).toMatchObject({ state: "cancelled" });
    expect(await site.readDeployment(2)).toMatchObject({
      trigger: "catch-up",
      reason: "skipped: the tip's message says [skip deploy]",
      commit: site.repository.tip,
    });
    const looks = () => site.server.log.filter(({ msg }) => msg === "nothing to catch up with");
    await site.server.until(() => looks().length >= 2);
    expect(await site.listDeployments()).toHaveLength(2);
    expect(site.read("current/index.html")).toBe("first\n");
  });
});

describe("a target of tags", () => {
  test("deploys the newest by version order, and tells of others why they are not", async () => {
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
    expect((await pushTag("test-1")).reason).toBe('blog: tag "test-1" does not match "v*"');
    const { body } = await site.push({ ref: "refs/heads/main" });
    expect(body.reason).toBe('blog: branch "main" is not a tag');
    expect((await read(body.delivery)).line).toContain('branch "main" is not a tag');
    expect((await site.run("target", "list")).stdout).toContain("tags v*");
  });
});

describe("verify_commit", () => {
  test("deploys a tip that an allowed signer signed, and says why no other", async () => {
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
    site.repository.commit({ "index.html": "nobody's\n" });
    await expectNotDeployed("has no valid signature by a key in allowed_signers: it has no SSH signature");
    signed(eve, "eve's");
    await expectNotDeployed("has no valid signature by a key in allowed_signers");
    // Also a person is held to it.
    expect(await site.run("target", "deploy", "blog", "--follow")).toMatchObject({ exitCode: 1 });
    signed(ada, "second");
    await site.push();
    await site.untilEnded(5);
    expect(site.read("current/index.html")).toBe("second\n");
  });
});
