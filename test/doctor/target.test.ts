import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkCommands } from "../../src/doctor/commands.ts";
import { checkDirectory, nameUser } from "../../src/doctor/files.ts";
import { checkTarget } from "../../src/doctor/target.ts";
import type { Target } from "../../src/domain/target.ts";
import { Repository } from "../support/git.ts";
import { isPossible, SmallDisk } from "../support/small-disk.ts";
import { targetOf } from "../support/target.ts";
import { words } from "../support/words.ts";
import { levelsOf, linesOf, wordsOf } from "./results.ts";

setDefaultTimeout(120_000);

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "hooklatch-check-"));
});

afterEach(() => rmSync(root, { recursive: true }));

const path = (name: string) => join(root, name);

const KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA==\n-----END OPENSSH PRIVATE KEY-----\n";

function write(name: string, mode = 0o600): string {
  writeFileSync(path(name), name === "key" ? KEY : "", { mode });
  return path(name);
}

const CONTEXT = { env: { PATH: process.env.PATH }, user: process.getuid?.() ?? null, reportsPushes: true };

/** The results for a target without a repository, except the first, which is about its directory. */
async function check(settings: Partial<Target>): Promise<readonly string[]> {
  const target = targetOf("blog", { repository: null, directory: root, ...settings });
  const [directory = "", ...others] = linesOf(await checkTarget(target, CONTEXT));
  expect(levelsOf([directory])).toEqual(["ok"]);
  for (const fact of ["blog", root]) expect(directory).toContain(fact);
  return others;
}

/** Expects one line for each fact, in this order. Each line must contain the fact and the name of the target. */
function expectFacts(lines: readonly string[], facts: readonly string[]): void {
  expect(lines).toEqual(facts.map((fact) => expect.stringContaining(fact)));
  for (const line of lines) expect(line).toContain("target blog");
}

describe("target check", () => {
  test("accepts known hosts, and a key that is readable only by its owner", async () => {
    const access = { sshKey: write("key"), knownHosts: write("known_hosts", 0o644), token: null };
    const lines = await check({ access });
    expect(levelsOf(lines)).toEqual(["ok", "ok"]);
    expectFacts(lines, [`ssh_key ${path("key")}`, `known_hosts ${path("known_hosts")}`]);
    expect(wordsOf(lines)).toMatchSnapshot();
  });

  test("fails a key that is damaged", async () => {
    const sshKey = write("key");
    writeFileSync(sshKey, KEY.trimEnd());
    const lines = await check({ access: { sshKey, knownHosts: null, token: null } });
    expect(levelsOf(lines)).toEqual(["fail"]);
    expectFacts(lines, ["does not end with a newline"]);
  });

  test("fails a key that is readable by others, and a directory in place of a file", async () => {
    const access = { sshKey: write("key", 0o640), knownHosts: root, token: null };
    const lines = await check({ access });
    expect(levelsOf(lines)).toEqual(["fail", "fail"]);
    expectFacts(lines, [`ssh_key ${path("key")}`, `known_hosts ${root}`]);
    expect(wordsOf(lines)).toMatchSnapshot();
  });

  test("fails missing files and creates none", async () => {
    const access = { sshKey: path("key"), knownHosts: path("known_hosts"), token: null };
    const lines = await check({ access, allowedSigners: path("signers") });
    expect(levelsOf(lines)).toEqual(["fail", "fail", "fail"]);
    expectFacts(lines, [
      `ssh_key ${path("key")}`,
      `known_hosts ${path("known_hosts")}`,
      `allowed_signers ${path("signers")}`,
    ]);
    expect(wordsOf(lines)).toMatchSnapshot();
    expect(readdirSync(root)).toEqual([]);
  });

  test("searches the PATH of the target for ssh-keygen", async () => {
    const allowedSigners = write("signers");
    mkdirSync(path("bin/ssh-keygen"), { recursive: true });
    const missing = await check({ allowedSigners, env: { PATH: path("bin") } });
    expect(levelsOf(missing)).toEqual(["ok", "fail"]);
    expectFacts(missing, [`allowed_signers ${allowedSigners}`, "ssh-keygen"]);
    expect(wordsOf(missing)).toMatchSnapshot();
    mkdirSync(path("other"));
    write("other/ssh-keygen", 0o700);
    const found = await check({ allowedSigners, env: { PATH: `${path("bin")}:${path("other")}` } });
    expect(levelsOf(found)).toEqual(["ok"]);
  });

  test("shows the response of the health URL without its query, and only warns when the check fails", async () => {
    let status = 204;
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response(null, { status }) });
    const url = `http://127.0.0.1:${server.port}/health`;
    const health = { url: `${url}?token=correct-horse`, within: 30_000 };
    try {
      const healthy = await check({ health });
      expectFacts(healthy, ["204"]);
      status = 503;
      const unhealthy = await check({ health });
      expectFacts(unhealthy, ["503"]);
      await server.stop(true);
      const unreachable = await check({ health });
      const lines = [...healthy, ...unhealthy, ...unreachable];
      expect(levelsOf(lines)).toEqual(["ok", "warn", "warn"]);
      expectFacts(lines, [url, url, url]);
      expectFacts(lines.slice(1), ["30 s", "30 s"]);
      expect(lines.join()).not.toContain("correct-horse");
      expect(wordsOf(lines)).toMatchSnapshot();
    } finally {
      await server.stop(true);
    }
  });

  test("searches relative programs in the directory of a target without a repository", async () => {
    mkdirSync(path("bin"));
    write("bin/build", 0o700);
    const env = { PATH: "bin:/usr/bin" };
    const run = [["./none.sh"], "./none.sh --all", "scripts/none", "./bin/build", ["build"], ["none"]];
    const lines = await check({ run, env });
    expect(levelsOf(lines)).toEqual(["warn", "warn", "warn"]);
    expectFacts(lines, [
      `program ./none.sh does not exist in ${root}`,
      "program scripts/none ",
      "program none ",
    ]);
    expect(wordsOf(lines)).toMatchSnapshot();
    // They may be in the release.
    expect(await checkCommands(targetOf("blog", { directory: root, run, env }), {})).toEqual([]);
  });

  test("warns about missing programs, except in the release or for a shell to resolve", async () => {
    mkdirSync(path("bin"));
    write("bin/build", 0o700);
    write("bin/plain", 0o600);
    write("own.sh", 0o700);
    const run = [["build", "--all"], ["plain"], [path("none")], ["./own.sh"], ["/bin/sh"], "hugo --minify"];
    const shellCommands = [
      "cd src && make",
      "X=1 unknown",
      "./own.sh",
      "(unknown)",
      "f() { :; }; f",
      "$TOOL",
      "! build",
    ];
    const lines = await check({
      run: [...run, ...shellCommands],
      after: [["plain"], "build"],
      env: { PATH: path("bin") },
    });
    expect(levelsOf(lines)).toEqual(["warn", "warn", "warn"]);
    expectFacts(lines, ["program plain ", `program ${path("none")} `, "program hugo "]);
    for (const line of [lines[0], lines[2]]) expect(line).toContain(path("bin"));
    expect(wordsOf(lines)).toMatchSnapshot();
    const passingOn = (program: string) => ["/bin/sh", "-c", 'exec "$0" "$HOOK_ARGUMENT_1"', program];
    expectFacts(await check({ run: [passingOn(path("none")), passingOn(path("bin/build"))] }), [
      `program ${path("none")} `,
    ]);
    const inRelease = { run: [["plain"]], env: { PATH: `node_modules/.bin:${path("bin")}` } };
    expect(await checkCommands(targetOf("blog", { directory: root, ...inRelease }), {})).toEqual([]);
  });

  test.skipIf(!isPossible.small)("names the setting of the unit for a read-only file system", async () => {
    const disk = new SmallDisk(1);
    try {
      mkdirSync(join(disk.path, "site"));
      Bun.spawnSync(["mount", "-o", "remount,ro", disk.path]);
      const directories = [join(disk.path, "site"), join(disk.path, "new")];
      const lines: string[] = [];
      for (const directory of directories) {
        lines.push(checkDirectory("target blog: directory", directory).text);
      }
      const existing = targetOf("blog", { repository: null, directory: join(disk.path, "site") });
      expect(levelsOf(linesOf(await checkTarget(existing, CONTEXT)))).toEqual(["fail"]);
      for (const [at, line] of lines.entries()) {
        expect(line).toContain(`ReadWritePaths=${directories[at]}`);
        expect(line).not.toContain("owner");
      }
      expect(lines.map((line) => words(line.replaceAll(disk.path, "<disk>")))).toMatchSnapshot();
    } finally {
      disk.unmount();
    }
  });

  test("fails an ssh URL when ssh is missing, unless GIT_SSH is set", async () => {
    const ref = { kind: "branch", name: "main" } as const;
    const repository = {
      fullName: "octocat/blog",
      ref,
      cloneUrl: "git@127.0.0.1:octocat/blog.git",
      depth: null,
    };
    // The result for the directory comes first, the result for the remote last.
    const resultsBetween = async (env: Record<string, string>) =>
      linesOf(await checkTarget(targetOf("blog", { repository, directory: root, env }), CONTEXT)).slice(
        1,
        -1,
      );
    const missing = await resultsBetween({ PATH: path("none") });
    expect(levelsOf(missing)).toEqual(["fail"]);
    expectFacts(missing, [" ssh"]);
    expect(wordsOf(missing)).toMatchSnapshot();
    expect(await resultsBetween({ PATH: path("none"), GIT_SSH: "/bin/false" })).toEqual([]);
  });

  test("fails when git cannot read the tip of the remote", async () => {
    const repository = {
      fullName: "octocat/blog",
      ref: { kind: "branch", name: "main" },
      cloneUrl: path("none"),
      depth: null,
    } as const;
    const results = await checkTarget(targetOf("blog", { repository, directory: root }), CONTEXT);
    expect(results.at(-1)?.level).toBe("fail");
    const text = results.at(-1)?.text ?? "";
    for (const fact of ["branch main", path("none"), "clone_url"]) expect(text).toContain(fact);
    // The message of git depends on its version.
    expect(words(text, { [root]: "<tmp>" }).replace(/: '[^;]*;/, ": <message of git>;")).toMatchSnapshot();
  });

  test("fails when the branch does not exist, and only warns when no tag matches", async () => {
    const origin = new Repository(path("origin"));
    origin.commit({ "index.html": "Hello" });
    const refs = [
      { kind: "branch", name: "dev" },
      { kind: "tag", pattern: "v*", prereleases: false },
    ] as const;
    const lines: string[] = [];
    for (const ref of refs) {
      const repository = { fullName: "octocat/blog", ref, cloneUrl: origin.path, depth: null };
      const results = await checkTarget(targetOf("blog", { repository, directory: root }), CONTEXT);
      lines.push(...linesOf(results.slice(-1)));
    }
    expect(levelsOf(lines)).toEqual(["fail", "warn"]);
    expectFacts(lines, ["branch dev", "tags v*"]);
    expect(wordsOf(lines)).toMatchSnapshot();
  });

  test("warns about a checkout that the service's user does not own", async () => {
    mkdirSync(path("site/.git"), { recursive: true });
    const ref = { kind: "branch", name: "main" } as const;
    const repository = { fullName: "octocat/blog", ref, cloneUrl: path("none"), depth: null };
    const target = targetOf("blog", { repository, layout: "worktree", directory: path("site") });
    const [place] = await checkTarget(target, { ...CONTEXT, user: 4_000_000 });
    expect(place?.level).toBe("warn");
    expect(place?.text).toContain(`chown -R 4000000 ${path("site")}`);
    const owner = nameUser(process.getuid?.() ?? 0);
    expect(words(place?.text ?? "", { [root]: "<tmp>" }).replace(owner, "<owner>")).toMatchSnapshot();
    expect((await checkTarget(target, CONTEXT))[0]?.level).toBe("ok");
  });

  test("warns about a source that accepts any JSON for a target with a repository", async () => {
    const ref = { kind: "branch", name: "main" } as const;
    const repository = { fullName: "octocat/blog", ref, cloneUrl: path("none"), depth: null };
    const target = targetOf("blog", { repository, directory: root });
    const last = (await checkTarget(target, { ...CONTEXT, reportsPushes: false })).at(-1);
    expect(last?.level).toBe("warn");
    for (const fact of ["github", "ref", "repository.full_name"]) expect(last?.text).toContain(fact);
    expect(last?.text).toMatchSnapshot();
    expect(await check({})).toEqual([]);
  });

  test("fails a worktree with other files, and accepts an empty directory, a checkout or no directory", async () => {
    const origin = new Repository(path("origin"));
    origin.commit({ "index.html": "Hello" });
    const repository = {
      fullName: "octocat/blog",
      ref: { kind: "branch", name: "main" },
      cloneUrl: origin.path,
      depth: null,
    } as const;
    const levelOf = async (directory: string, layout = "worktree") => {
      const target = targetOf("blog", { repository, layout, directory });
      return (await checkTarget(target, CONTEXT)).map(({ level }) => level);
    };
    mkdirSync(path("site"));
    expect(await levelOf(path("site"))).toEqual(["ok", "ok"]);
    expect(await levelOf(path("none"))).toEqual(["ok", "ok"]);
    write("site/index.html");
    expect(await levelOf(path("site"))).toEqual(["fail", "ok"]);
    expect(await levelOf(path("site"), "releases")).toEqual(["ok", "ok"]);
    mkdirSync(path("site/.git"));
    expect(await levelOf(path("site"))).toEqual(["ok", "ok"]);
  });
});
