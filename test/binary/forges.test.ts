import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { makeCertificate } from "../support/certificate.ts";
import { type Server, Workshop } from "../support/executable.ts";
import { FORGES, type Forge, type RefChange, sendAs, ZERO } from "../support/forges.ts";
import { freePort } from "../support/free-port.ts";
import { git, Repository } from "../support/git.ts";
import { GitOverHttps } from "../support/git-over-https.ts";
import { readFixture } from "../support/senders.ts";

setDefaultTimeout(120_000);

let workshop: Workshop;
let origin: GitOverHttps;
beforeEach(() => {
  workshop = new Workshop();
});
afterEach(async () => {
  await origin.stop();
  await workshop.dispose();
});

/**
 * A forge: a git server over HTTPS with a bare repository, a clone from which a person pushes to it, and a hooklatch
 * with targets for its branch `main` and its tags. The forge reports each push with its own payload. Pushes go to the
 * files of the server, because it answers in the process that waits for them.
 */
class Site {
  readonly clone = new Repository(join(workshop.path, "clone"));
  readonly #env: Record<string, string>;
  #server: Server | null = null;

  constructor(readonly forge: Forge) {
    const certificate = makeCertificate(workshop.path, "forge");
    this.#env = {
      GIT_SSL_CAINFO: certificate.cert,
      FORGE_SECRET: forge.sender.secret,
      OTHER: "an unused token",
    };
    const root = join(workshop.path, "root");
    git(workshop.path, "init", "--quiet", "--bare", join(root, this.path));
    origin = new GitOverHttps(root, certificate, null);
    this.clone.git("remote", "add", "origin", join(root, this.path));
  }

  /** Where the forge serves the repository. */
  get path(): string {
    return this.forge.clonePath?.(this.forge.repository) ?? "elsewhere/site.git";
  }

  async serve(): Promise<void> {
    const { forge } = this;
    // Where the source has the forge's address, the URL of the repository follows from it.
    const cloneUrl = forge.clonePath === null ? `clone_url = "${origin.url(this.path)}"` : "";
    const target = (name: string, keys: string) =>
      `[[target]]\nname = "${name}"\nrepository = "${forge.repository}"\n${keys}\n${cloneUrl}\npass_env = ["GIT_SSL_CAINFO"]\ndirectory = "${name}"\n`;
    const secrets = forge.sender.keys.replaceAll(/env:\w+/g, (name) =>
      forge.sender.name === "gitlab-signed" && name === "env:GITLAB_SECRET"
        ? "env:OTHER"
        : "env:FORGE_SECRET",
    );
    workshop.write(
      "hooklatch.toml",
      `data_dir = "data"
[server]
port = 0
[admin]
port = ${freePort()}
[[source]]
name = "forge"
path = "/hook"
${secrets}
${forge.keys(origin.origin)}
${target("main", 'branch = "main"')}${target("tags", 'tag = "v*"')}`,
    );
    this.#server = await workshop.serve([], this.#env);
  }

  get server(): Server {
    if (this.#server === null) throw new Error("the server was not started");
    return this.#server;
  }

  /** Pushes refs to the git server, and reports them as the forge does. A null deletes the ref. */
  async push(refs: Readonly<Record<string, string | null>>, repository = this.forge.repository) {
    const changes = Object.entries(refs).map(([ref, commit]): RefChange => {
      const [known = ""] = this.clone.git("ls-remote", "origin", ref).split("\t");
      return { ref, before: known || ZERO, after: commit ?? ZERO };
    });
    const specs = Object.entries(refs).map(([ref, commit]) => `${commit ?? ""}:${ref}`);
    this.clone.git("push", "--quiet", "--force", "origin", ...specs);
    const answers = [];
    for (const delivery of this.forge.push(changes, repository)) {
      answers.push(await sendAs(this.forge, new URL("/hook", this.server.url), delivery));
    }
    return answers;
  }

  send(event: string, body: string) {
    return sendAs(this.forge, new URL("/hook", this.server.url), { event, body });
  }

  read(target: string): string {
    return readFileSync(join(workshop.path, target, "current/index.html"), "utf8");
  }

  /** The ids of the deployments in these answers, by target, when all of them have succeeded. */
  async deployed(answers: Awaited<ReturnType<Site["push"]>>): Promise<readonly string[]> {
    const deployments = answers.flatMap(({ answer }) => answer.deployments ?? []);
    for (const { id } of deployments) {
      expect(await this.server.untilDeployed(id)).toMatchObject({ state: "succeeded" });
    }
    return deployments.map(({ target }) => target);
  }
}

describe.each(FORGES.map((forge) => [forge.name, forge] as const))("%s", (_, forge) => {
  let site: Site;
  beforeEach(async () => {
    site = new Site(forge);
    site.clone.commit({ "index.html": "one" });
    await site.serve();
  });

  test("deploys a push and a tag, and skips deletions, other branches and other events", async () => {
    const { clone } = site;
    const first = clone.tip;
    const created = await site.push({ "refs/heads/main": first });
    expect(created).toMatchObject([{ code: 202, answer: { status: "ok" } }]);
    expect(await site.deployed(created)).toEqual(["main"]);
    expect(site.read("main")).toBe("one");

    const second = clone.commit({ "index.html": "two" });
    const updated = await site.push({ "refs/heads/main": second });
    expect(await site.deployed(updated)).toEqual(["main"]);
    expect(site.read("main")).toBe("two");

    const tagged = await site.push({ "refs/tags/v1.0.0": first });
    expect(await site.deployed(tagged)).toEqual(["tags"]);
    expect([site.read("main"), site.read("tags")]).toEqual(["two", "one"]);

    const other = await site.push({ "refs/heads/feature/main": second });
    expect(other).toMatchObject([{ code: 200, answer: { status: "skipped" } }]);
    expect(other[0]?.answer.reason).toContain("feature/main");
    for (const ref of ["refs/tags/v1.0.0", "refs/heads/main"]) {
      const deleted = await site.push({ [ref]: null });
      expect(deleted).toMatchObject([{ code: 200, answer: { status: "skipped" } }]);
      expect(deleted[0]?.answer.deployments).toBeUndefined();
    }
    const { event, body } = forge.other();
    expect(await site.send(event, body)).toMatchObject({ code: 200, answer: { status: "skipped" } });
    // What was live stays.
    expect([site.read("main"), site.read("tags")]).toEqual(["two", "one"]);
    expect(site.server.stderr).not.toContain(forge.sender.secret);
  });

  test("deploys each target that one of several changes in a push is for", async () => {
    const { clone } = site;
    const first = clone.tip;
    const second = clone.commit({ "index.html": "two" });
    await site.push({ "refs/heads/old": first });
    const answers = await site.push({
      "refs/heads/old": null,
      "refs/heads/other": second,
      "refs/tags/v2.0.0": first,
      "refs/heads/main": second,
    });
    expect((await site.deployed(answers)).toSorted()).toEqual(["main", "tags"]);
    expect([site.read("main"), site.read("tags")]).toEqual(["two", "one"]);
  });

  test("follows a branch that another one is renamed to, and says which repository a renamed one is", async () => {
    const { clone } = site;
    await site.deployed(await site.push({ "refs/heads/trunk": clone.tip }));
    // A forge renames a branch by deleting the one and creating the other.
    const renamed = await site.push({ "refs/heads/trunk": null, "refs/heads/main": clone.tip });
    expect(await site.deployed(renamed)).toEqual(["main"]);
    const second = clone.commit({ "index.html": "two" });
    const moved = forge.repository.replace("site", "renamed").replace("blog", "renamed");
    const skipped = await site.push({ "refs/heads/main": second }, moved);
    expect(skipped).toMatchObject([{ code: 200, answer: { status: "skipped" } }]);
    expect(skipped[0]?.answer.reason).toContain(moved);
    expect(site.read("main")).toBe("one");
  });

  test("runs a delivery again whose button for it was pressed, and deploys the tip", async () => {
    const { clone } = site;
    await site.deployed(await site.push({ "refs/heads/main": clone.tip }));
    const before = clone.tip;
    const second = clone.commit({ "index.html": "two" });
    clone.git("push", "--quiet", "origin", "HEAD:main");
    const [delivery] = forge.push([{ ref: "refs/heads/main", before, after: second }], forge.repository);
    if (delivery === undefined) throw new Error("no delivery");
    const url = new URL("/hook", site.server.url);
    for (const target of [["main"], ["main"]]) {
      const answer = await sendAs(forge, url, delivery, { id: "7d1f0c3e-0000-4000-8000-000000000001" });
      expect(answer).toMatchObject({ code: 202 });
      expect(await site.deployed([answer])).toEqual(target);
    }
    expect(site.read("main")).toBe("two");
  });
});

describe("a GitLab", () => {
  let site: Site;
  beforeEach(async () => {
    const forge = FORGES.find(({ name }) => name === "gitlab");
    if (forge === undefined) throw new Error("no GitLab");
    site = new Site(forge);
    site.clone.commit({ "index.html": "one" });
    await site.serve();
  });

  test("deploys a push that a system hook reports, and skips a renamed project", async () => {
    site.clone.git("push", "--quiet", "origin", "HEAD:main");
    const payload = JSON.parse(readFixture("payloads/gitlab/system-push-event.json"));
    payload.ref = "refs/heads/main";
    payload.after = payload.checkout_sha = site.clone.tip;
    payload.project.path_with_namespace = "group/sub/site";
    const pushed = await site.send("System Hook", JSON.stringify(payload));
    expect(await site.deployed([pushed])).toEqual(["main"]);
    const renamed = await site.send(
      "System Hook",
      readFixture("payloads/gitlab/system-project-renamed.json"),
    );
    expect(renamed).toMatchObject({ code: 200, answer: { status: "skipped" } });
  });
});

test("the test delivery of Gitea is stored, skipped as one, and not called a deleted branch", async () => {
  const forge = FORGES.find(({ name }) => name === "gitea");
  if (forge === undefined) throw new Error("no Gitea");
  const site = new Site(forge);
  site.clone.commit({ "index.html": "one" });
  await site.serve();
  for (const commit of [site.clone.tip, ZERO]) {
    const payload = JSON.parse(readFixture("payloads/gitea/push-event.json"));
    const body = { ...payload, ref: "refs/heads/main", before: commit, after: commit };
    body.repository.full_name = forge.repository;
    const { code, answer } = await site.send("push", JSON.stringify(body));
    expect({ code, answer }).toMatchObject({ code: 200, answer: { status: "skipped" } });
    expect(answer.delivery).toBeGreaterThan(0);
    expect(answer.reason).toContain("commit");
    expect(answer.reason).not.toContain("deleted");
  }
  expect(existsSync(join(workshop.path, "main/current"))).toBe(false);
});
