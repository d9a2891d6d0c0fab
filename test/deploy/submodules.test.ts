import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { WatchedRepository } from "../../src/domain/target.ts";
import { loadSecret } from "../providers/load-secret.ts";
import { makeCertificate } from "../support/certificate.ts";
import { GIT_ENV, git, Repository } from "../support/git.ts";
import { GitOverHttps } from "../support/git-over-https.ts";
import { hasSshd, makeKey, Sshd } from "../support/sshd.ts";
import { gitMessagesIn, Site, snapshotText } from "./site.ts";

setDefaultTimeout(120_000);

const hasLfs = Bun.which("git-lfs") !== null;

/** A repository with a submodule `lib`, which has a submodule `core`. Both have relative URLs. */
class Nested {
  readonly lib: Repository;
  readonly core: Repository;

  constructor(readonly site: Site) {
    this.core = new Repository(join(site.root, "core"));
    this.core.commit({ "core.txt": "core one" });
    this.lib = new Repository(join(site.root, "lib"));
    this.lib.commit({ "lib.txt": "lib one" });
    add(this.lib, "../core", "core");
    add(site.repository, "../lib", "lib");
  }
}

function add(repository: Repository, url: string, path: string): void {
  // Without a remote, git resolves a relative URL against the path of the repository.
  repository.git("-c", "protocol.file.allow=always", "submodule", "add", "--quiet", url, path);
  repository.commitAll();
}

/** Commits an update of a submodule to the tip of its repository. */
function updateSubmodule(repository: Repository, path: string): void {
  git(join(repository.path, path), "fetch", "--quiet", "origin");
  git(join(repository.path, path), "checkout", "--quiet", "origin/HEAD");
  repository.commitAll();
}

/** Commits a file in Git LFS, with its content in the LFS store of the repository. */
function commitLarge(repository: Repository, content: string): void {
  repository.git("lfs", "install", "--local");
  repository.commit({
    ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n",
    "large.bin": content,
  });
  expect(repository.git("show", "HEAD:large.bin")).toStartWith("version https://git-lfs.github.com/spec/v1");
}

function watching(cloneUrl: string): WatchedRepository {
  return { fullName: "octocat/blog", ref: { kind: "branch", name: "main" }, cloneUrl, depth: null };
}

describe.each(["releases", "worktree"])("layout %s", (layout) => {
  let site: Site;
  beforeEach(() => {
    site = new Site(layout);
    site.repository.commit({ "index.html": "one" });
  });
  afterEach(() => site.remove());

  const live = (...path: readonly string[]) => join(site.live, ...path);
  const read = (...path: readonly string[]) => readFileSync(live(...path), "utf8");

  test("checks out nested submodules before the first step", async () => {
    new Nested(site);
    const result = await site.deploy({
      run: ["cat lib/lib.txt lib/core/core.txt", "git submodule status --recursive"],
    });
    expect(result).toMatchObject({ state: "succeeded", reason: null });
    expect(result.lines).toContain("lib onecore one");
    expect(result.lines.filter((line) => /^ [0-9a-f]{40} lib/.test(line)).length).toBe(2);
    expect(git(live("lib"), "status", "--porcelain")).toBe("");
  });

  test("checks out the recorded commit of a submodule, not its tip, also when it moves back", async () => {
    const { lib } = new Nested(site);
    const before = site.repository.tip;
    lib.commit({ "lib.txt": "lib two" });
    await site.deploy();
    expect(read("lib/lib.txt")).toBe("lib one");
    updateSubmodule(site.repository, "lib");
    await site.deploy();
    expect(read("lib/lib.txt")).toBe("lib two");
    site.repository.git("reset", "--quiet", "--hard", before);
    await site.deploy();
    expect(read("lib/lib.txt")).toBe("lib one");
  });

  test("uses the new URL of a submodule that moved", async () => {
    const { lib } = new Nested(site);
    await site.deploy();
    git(site.root, "clone", "--quiet", lib.path, "moved");
    lib.git("update-ref", "-d", "HEAD");
    const moved = join(site.root, "moved");
    writeFileSync(join(moved, "lib.txt"), "moved");
    git(moved, "commit", "--quiet", "--all", "--message", "Moved");
    site.repository.git("config", "--file", ".gitmodules", "submodule.lib.url", "../moved");
    git(join(site.repository.path, "lib"), "fetch", "--quiet", moved, "main");
    git(join(site.repository.path, "lib"), "checkout", "--quiet", "FETCH_HEAD");
    site.repository.commitAll();
    expect(await site.deploy()).toMatchObject({ state: "succeeded" });
    expect(read("lib/lib.txt")).toBe("moved");
  });

  test("fails and keeps the live release when a submodule cannot be fetched", async () => {
    await site.deploy();
    new Nested(site);
    site.repository.git("config", "--file", ".gitmodules", "submodule.lib.url", "../nowhere");
    site.repository.commitAll();
    const result = await site.deploy({ run: ["echo never"] });
    expect(result).toMatchObject({ state: "failed", code: "checkout_failed", steps: [] });
    expect(snapshotText(result.reason, gitMessagesIn(result.lines))).toMatchSnapshot();
    expect(result.lines.join("\n")).toContain("nowhere");
    expect(read("index.html")).toBe("one");
    expect(existsSync(live("lib/lib.txt"))).toBe(false);
  });

  test("runs no command from the URL or settings of a submodule", async () => {
    new Nested(site);
    const command = `touch '${join(site.root, "hacked")}'`;
    site.repository.git("config", "--file", ".gitmodules", "submodule.lib.url", `ext::sh -c ${command}`);
    site.repository.git("config", "--file", ".gitmodules", "submodule.lib.update", `!${command}`);
    site.repository.commitAll();
    expect((await site.deploy()).state).toBe("failed");
    expect(existsSync(join(site.root, "hacked"))).toBe(false);
  });

  test.each(["repo", "releases", "repo, packed", "repo, by a URL", "repo, by a URL with a host"])(
    "cannot contain another target as a submodule: its %s",
    async (what) => {
      const other = new Site("releases");
      other.repository.commit({ "secret.txt": "secret" });
      const { release } = await other.deploy();
      if (what === "repo, packed") git(join(other.directory, "repo"), "pack-refs", "--all", "--prune");
      const path = join(other.directory, what === "releases" ? `releases/${release}` : "repo");
      const urls: Record<string, string> = {
        "repo, by a URL": `file://${path.replace("repo", "%72epo")}`,
        "repo, by a URL with a host": `file:/${path}`,
      };
      const url = urls[what] ?? path;
      // In a submodule of a submodule, which is checked like the first.
      const { lib } = new Nested(site);
      lib.git("config", "--file", ".gitmodules", "submodule.core.url", url);
      lib.git("update-index", "--cacheinfo", `160000,${other.repository.tip},core`);
      lib.git("add", ".gitmodules");
      lib.git("commit", "--quiet", "--message", "Another");
      updateSubmodule(site.repository, "lib");
      const result = await site.deploy();
      other.remove();
      expect(result).toMatchObject({ state: "failed", code: "checkout_failed" });
      expect(result.reason).toContain(url);
      expect(result.reason).toContain("another target");
      expect(existsSync(live("lib/core/secret.txt"))).toBe(false);
    },
  );

  test("deploys updates and the removal of a submodule", async () => {
    const { lib } = new Nested(site);
    for (let round = 1; round <= 4; round += 1) {
      lib.commit({ "lib.txt": `round ${round}` });
      updateSubmodule(site.repository, "lib");
      expect(await site.deploy({ keepReleases: 2 })).toMatchObject({ state: "succeeded", reason: null });
      expect(read("lib/lib.txt")).toBe(`round ${round}`);
    }
    site.repository.git("rm", "--quiet", "lib");
    site.repository.commitAll();
    expect(await site.deploy({ keepReleases: 2 })).toMatchObject({ state: "succeeded", reason: null });
    expect(existsSync(live("lib"))).toBe(false);
    if (layout === "worktree") return;
    expect(await site.deploy({ run: ["false"], keepReleases: 2 })).toMatchObject({ state: "failed" });
    expect(readdirSync(join(site.directory, "releases")).length).toBe(2);
  });

  describe.skipIf(!hasLfs)("with Git LFS (needs git-lfs)", () => {
    test.each(["not set up", "set up"])(
      "deploys file contents when the account has Git LFS %s",
      async (account) => {
        const config = join(site.root, "gitconfig");
        writeFileSync(config, "");
        if (account === "set up") setUpLfs(config);
        const env = { ...GIT_ENV, GIT_CONFIG_GLOBAL: config };
        for (const content of ["first", "second"]) {
          commitLarge(site.repository, content);
          const result = await site.deploy({ env, run: ["cat large.bin"] });
          expect(result).toMatchObject({ state: "succeeded", reason: null });
          expect(result.lines).toContain(content);
          expect(read("large.bin")).toBe(content);
        }
      },
    );

    test("deploys file contents in submodules", async () => {
      const { lib } = new Nested(site);
      commitLarge(lib, "large in lib");
      updateSubmodule(site.repository, "lib");
      expect(await site.deploy()).toMatchObject({ state: "succeeded", reason: null });
      expect(read("lib/large.bin")).toBe("large in lib");
    });

    test("ignores another LFS server that the repository names", async () => {
      const { lib } = new Nested(site);
      for (const repository of [lib, site.repository]) {
        repository.commit({ ".lfsconfig": "[lfs]\n\turl = http://127.0.0.1:9/elsewhere\n" });
        commitLarge(repository, "large");
      }
      updateSubmodule(site.repository, "lib");
      expect(await site.deploy()).toMatchObject({ state: "succeeded", reason: null });
      expect(["large.bin", "lib/large.bin"].map((path) => read(path))).toEqual(["large", "large"]);
    });

    test("fetches the content of an unchanged file once", async () => {
      commitLarge(site.repository, "large");
      await site.deploy();
      rmSync(join(site.repository.path, ".git/lfs"), { recursive: true });
      site.repository.git("commit", "--quiet", "--no-verify", "--allow-empty", "--message", "Another");
      expect(await site.deploy()).toMatchObject({ state: "succeeded", reason: null });
      expect(read("large.bin")).toBe("large");
    });

    test("fails and keeps the live release without the git-lfs program", async () => {
      await site.deploy();
      commitLarge(site.repository, "large");
      const programs = join(site.root, "programs");
      mkdirSync(programs);
      for (const program of ["git", "sh", "rm"])
        symlinkSync(String(Bun.which(program)), join(programs, program));
      const config = join(site.root, "gitconfig");
      setUpLfs(config);
      const reasons: string[] = [];
      for (const settings of ["/dev/null", config]) {
        const env = { ...GIT_ENV, GIT_CONFIG_GLOBAL: settings, PATH: programs };
        const result = await site.deploy({ env });
        expect(result).toMatchObject({ state: "failed", code: "checkout_failed" });
        reasons.push(snapshotText(result.reason));
        expect(existsSync(live("large.bin"))).toBe(false);
      }
      expect(new Set(reasons).size).toBe(1);
      expect(reasons[0]).toContain("apt-get install git-lfs");
      expect(reasons[0]).toMatchSnapshot();
    });

    test("does not run git-lfs when git only warns about attributes", async () => {
      site.repository.commit({ ".gitattributes": "!large.bin filter=lfs\n", "large.bin": "small" });
      const result = await site.deploy();
      expect(result).toMatchObject({ state: "succeeded", reason: null });
      expect(result.lines.filter((line) => line.startsWith("$ git lfs"))).toEqual([]);
    });

    test("fails when the content cannot be fetched", async () => {
      await site.deploy();
      commitLarge(site.repository, "large");
      rmSync(join(site.repository.path, ".git/lfs"), { recursive: true });
      const result = await site.deploy({ run: ["echo never"] });
      expect(result).toMatchObject({ state: "failed", code: "checkout_failed", steps: [] });
      expect(result.reason).toContain("remote missing object");
      expect(snapshotText(result.reason)).toMatchSnapshot();
    });
  });
});

/** Writes the settings that `git lfs install` writes for an account. */
function setUpLfs(config: string): void {
  const settings = { smudge: "git-lfs smudge -- %f", process: "git-lfs filter-process", required: "true" };
  for (const [name, value] of Object.entries(settings)) {
    git("/", "config", "--file", config, `filter.lfs.${name}`, value);
  }
}

/** Answers like the LFS server of a forge (git-lfs, docs/api): with the location of a file, and the file. */
async function answerLfs(request: Request, repository: Repository): Promise<Response> {
  const [base, path = ""] = request.url.split("/info/lfs/");
  const stored = (oid: string) =>
    join(repository.path, ".git/lfs/objects", oid.slice(0, 2), oid.slice(2, 4), oid);
  if (path !== "objects/batch") return new Response(Bun.file(stored(path)));
  const [oid = ""] = /(?<="oid":")[0-9a-f]{64}/.exec(await request.text()) ?? [];
  const size = Bun.file(stored(oid)).size;
  const objects = [{ oid, size, actions: { download: { href: `${base}/info/lfs/${oid}` } } }];
  return Response.json(
    { transfer: "basic", objects },
    { headers: { "content-type": "application/vnd.git-lfs+json" } },
  );
}

describe("a private repository", () => {
  let site: Site;
  beforeEach(() => {
    site = new Site("releases");
    site.repository.commit({ "index.html": "one" });
  });
  afterEach(() => site.remove());

  test("sends the token for submodules of the same origin and to no other host", async () => {
    const certificate = makeCertificate(site.root, "server");
    const token = "t0ken-for-one-host";
    const own = new GitOverHttps(site.root, certificate, `x-access-token:${token}`);
    const other = new GitOverHttps(site.root, certificate, null);
    const { lib } = new Nested(site);
    lib.git("config", "--file", ".gitmodules", "submodule.core.url", other.url("core/.git"));
    lib.commitAll();
    updateSubmodule(site.repository, "lib");
    site.repository.git("config", "--file", ".gitmodules", "submodule.lib.url", "../../lib/.git");
    site.repository.commitAll();
    const result = await site.deploy({
      repository: watching(own.url("repository/.git")),
      access: { sshKey: null, knownHosts: null, token: loadSecret(token) },
      env: { ...GIT_ENV, GIT_SSL_CAINFO: certificate.cert },
    });
    await Promise.all([own.stop(), other.stop()]);
    expect(result).toMatchObject({ state: "succeeded", reason: null });
    expect(readFileSync(join(site.live, "lib/core/core.txt"), "utf8")).toBe("core one");
    expect(own.seen.some(({ path }) => path.startsWith("/lib/.git/"))).toBe(true);
    expect(other.seen.length).toBeGreaterThan(0);
    expect(other.seen.filter(({ authorization }) => authorization !== null)).toEqual([]);
  });

  test.skipIf(!hasLfs)("fetches files in Git LFS with the token (needs git-lfs)", async () => {
    const token = "t0ken-for-large-files";
    const authorizations: (string | null)[] = [];
    const server = new GitOverHttps(
      site.root,
      makeCertificate(site.root, "server"),
      `x-access-token:${token}`,
      (request) => {
        if (!request.url.includes("/info/lfs/")) return null;
        authorizations.push(request.headers.get("authorization"));
        return answerLfs(request, site.repository);
      },
    );
    commitLarge(site.repository, "large and private");
    const result = await site.deploy({
      repository: watching(server.url("repository/.git")),
      access: { sshKey: null, knownHosts: null, token: loadSecret(token) },
      env: { ...GIT_ENV, GIT_SSL_CAINFO: join(site.root, "server-cert.pem") },
    });
    await server.stop();
    expect(result).toMatchObject({ state: "succeeded", reason: null });
    expect(readFileSync(join(site.live, "large.bin"), "utf8")).toBe("large and private");
    expect(authorizations).toEqual([
      `Basic ${btoa(`x-access-token:${token}`)}`,
      `Basic ${btoa(`x-access-token:${token}`)}`,
    ]);
    expect(result.lines.join("\n")).not.toContain(token);
  });

  test("allows no submodule from local files for a remote repository", async () => {
    const certificate = makeCertificate(site.root, "server");
    const server = new GitOverHttps(site.root, certificate, null);
    new Nested(site);
    const secret = new Repository(join(site.root, "secret"));
    secret.commit({ "secret.txt": "secret" });
    site.repository.git("config", "--file", ".gitmodules", "submodule.lib.url", secret.path);
    site.repository.commitAll();
    const config = join(site.root, "gitconfig");
    git(site.root, "config", "--file", config, "protocol.file.allow", "always");
    const result = await site.deploy({
      repository: watching(server.url("repository/.git")),
      env: { ...GIT_ENV, GIT_CONFIG_GLOBAL: config, GIT_SSL_CAINFO: certificate.cert },
    });
    await server.stop();
    expect(result).toMatchObject({ state: "failed", code: "checkout_failed" });
    expect(result.reason).toContain("transport 'file' not allowed");
  });

  test.skipIf(!hasSshd)(
    "reports the line to add for the unknown host of a submodule (needs an OpenSSH server)",
    async () => {
      const sshd = await Sshd.start(join(site.root, "sshd"), makeKey(join(site.root, "key")));
      new Nested(site);
      site.repository.git("config", "--file", ".gitmodules", "submodule.lib.url", sshd.url("/lib"));
      site.repository.commitAll();
      const knownHosts = join(site.root, "known_hosts");
      const result = await site.deploy({
        access: { sshKey: join(site.root, "key"), knownHosts, token: null },
      });
      sshd.stop();
      expect(result).toMatchObject({ state: "failed", code: "checkout_failed" });
      for (const fact of [sshd.host, knownHosts]) expect(result.reason).toContain(fact);
      expect(result.reason).toEndWith(sshd.line);
    },
  );
});
