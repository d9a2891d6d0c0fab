import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkTarget } from "../../../src/cli/check/target.ts";
import type { Target } from "../../../src/domain/target.ts";
import { freePort } from "../../support/free-port.ts";
import { Repository } from "../../support/git.ts";
import { targetOf } from "../../support/target.ts";

setDefaultTimeout(120_000);

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "hooklatch-check-"));
});

afterEach(() => rmSync(root, { recursive: true }));

const path = (name: string) => join(root, name);

function write(name: string, mode = 0o600): string {
  writeFileSync(path(name), "", { mode });
  return path(name);
}

const GROUND = { env: { PATH: process.env.PATH }, user: process.getuid?.() ?? null, tellsPushes: true };

/** What is said of a target without a repository, in a directory that is fine, but for its directory. */
async function remarksOf(settings: Partial<Target>): Promise<readonly string[]> {
  const target = targetOf("blog", { watch: null, directory: root, ...settings });
  const [directory, ...others] = await checkTarget(target, GROUND);
  expect(directory).toEqual({ level: "ok", text: `target blog: directory ${root}` });
  return others.map(({ level, text }) => `${level} ${text}`);
}

describe("check", () => {
  test("takes a key and known hosts that are there, and the key its owner's alone", async () => {
    const access = { sshKey: write("key"), knownHosts: write("known_hosts", 0o644), token: null };
    expect(await remarksOf({ access })).toEqual([
      `ok target blog: ssh_key ${path("key")}`,
      `ok target blog: known_hosts ${path("known_hosts")}`,
    ]);
  });

  test("fails a key that is open to others, and a directory in its place", async () => {
    const access = { sshKey: write("key", 0o640), knownHosts: root, token: null };
    expect(await remarksOf({ access })).toEqual([
      `fail target blog: ssh_key ${path("key")} is open to others on this machine, so ssh refuses it: chmod go= ${path("key")}`,
      `fail target blog: known_hosts ${root} is not a regular file: name one`,
    ]);
  });

  test("fails files that are not there, and makes none", async () => {
    const access = { sshKey: path("key"), knownHosts: path("known_hosts"), token: null };
    expect(await remarksOf({ access, allowedSigners: path("signers") })).toEqual([
      `fail target blog: ssh_key ${path("key")} does not exist: make one (ssh-keygen -t ed25519 -N "" -f ${path("key")}), or name another`,
      `fail target blog: known_hosts ${path("known_hosts")} does not exist: make it with the line of the host's key, or name another`,
      `fail target blog: allowed_signers ${path("signers")} does not exist: make it with a line for each key (ALLOWED SIGNERS in ssh-keygen(1)), or name another`,
    ]);
    expect(readdirSync(root)).toEqual([]);
  });

  test("looks for ssh-keygen where the target's git would", async () => {
    const allowedSigners = write("signers");
    const file = `ok target blog: allowed_signers ${allowedSigners}`;
    mkdirSync(path("bin/ssh-keygen"), { recursive: true });
    expect(await remarksOf({ allowedSigners, env: { PATH: path("bin") } })).toEqual([
      file,
      "fail target blog: ssh-keygen, which verifies signatures, was not found in PATH; install it (Debian: apt-get install openssh-client)",
    ]);
    mkdirSync(path("other"));
    write("other/ssh-keygen", 0o700);
    expect(await remarksOf({ allowedSigners, env: { PATH: `${path("bin")}:${path("other")}` } })).toEqual([
      file,
    ]);
  });

  test("tells what health answers now, without the query, and only warns when it does not", async () => {
    let status = 204;
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response(null, { status }) });
    const url = `http://127.0.0.1:${server.port}/health`;
    const health = { url: `${url}?token=correct-horse`, within: 30_000 };
    try {
      expect(await remarksOf({ health })).toEqual([`ok target blog: health ${url} answered 204`]);
      status = 503;
      const fine = "now: fine before the first deployment, which it fails when that lasts for 30 s";
      expect(await remarksOf({ health })).toEqual([`warn target blog: health ${url} answered 503 ${fine}`]);
      await server.stop(true);
      expect(await remarksOf({ health })).toEqual([
        `warn target blog: health ${url} gave no answer (connection refused) ${fine}`,
      ]);
    } finally {
      await server.stop(true);
    }
  });

  test("warns of programs that are nowhere, and leaves what only the release or a shell has", async () => {
    mkdirSync(path("bin"));
    write("bin/build", 0o700);
    write("bin/plain", 0o600);
    const run = [["build", "--all"], ["plain"], [path("none")], ["./own.sh"], ["/bin/sh"], "hugo --minify"];
    const ofTheShell = [
      "cd src && make",
      "X=1 unknown",
      "./own.sh",
      "(unknown)",
      "f() { :; }; f",
      "$TOOL",
      "! build",
    ];
    expect(
      await remarksOf({
        run: [...run, ...ofTheShell],
        after: [["plain"], "build"],
        env: { PATH: path("bin") },
      }),
    ).toEqual([
      `warn target blog: program plain was not found in PATH (${path("bin")}): install it, or set env = { PATH = … }`,
      `warn target blog: program ${path("none")} is not there, or may not be run: install it`,
      `warn target blog: program hugo was not found in PATH (${path("bin")}): install it, or set env = { PATH = … }`,
    ]);
    expect(await remarksOf({ run: [["plain"]], env: { PATH: `node_modules/.bin:${path("bin")}` } })).toEqual(
      [],
    );
  });

  test("fails an ssh address without ssh, unless another program is named for it", async () => {
    const ref = { kind: "branch", name: "main" } as const;
    const watch = { repository: "octocat/blog", ref, cloneUrl: "git@127.0.0.1:octocat/blog.git" };
    const without = async (env: Record<string, string>) => {
      const remarks = await checkTarget(targetOf("blog", { watch, directory: root, env }), GROUND);
      return remarks.map(({ text }) => text).filter((text) => text.includes("ssh, which"));
    };
    expect(await without({ PATH: path("none") })).toEqual([
      "target blog: ssh, which git reaches the repository with, was not found in PATH; install it (Debian: apt-get install openssh-client)",
    ]);
    expect(await without({ PATH: path("none"), GIT_SSH: "/bin/false" })).toEqual([]);
  });

  test("says what to look at where git cannot ask for the tip", async () => {
    const ref = { kind: "branch", name: "main" } as const;
    const remoteOf = async (cloneUrl: string) => {
      const watch = { repository: "octocat/blog", ref, cloneUrl };
      return (await checkTarget(targetOf("blog", { watch, directory: root }), GROUND)).at(-1)?.text;
    };
    expect(await remoteOf(path("none"))).toEndWith("; correct the path in clone_url");
    const refused = await remoteOf(`http://127.0.0.1:${freePort()}/octocat/blog.git`);
    expect(refused).toEndWith("; correct host and port in clone_url, or start what should answer there");
    expect(await remoteOf("http://nowhere.invalid/octocat/blog.git")).toContain(
      "; correct the host in clone_url",
    );
  });

  test("warns of a checkout that is not the service's user's own", async () => {
    mkdirSync(path("site/.git"), { recursive: true });
    const ref = { kind: "branch", name: "main" } as const;
    const watch = { repository: "octocat/blog", ref, cloneUrl: path("none") };
    const target = targetOf("blog", { watch, layout: "worktree", directory: path("site") });
    const [place] = await checkTarget(target, { ...GROUND, user: 4_000_000 });
    expect(place?.level).toBe("warn");
    expect(place?.text).toEndWith(`git refuses other users' checkouts: chown -R 4000000 ${path("site")}`);
    expect((await checkTarget(target, GROUND))[0]?.level).toBe("ok");
  });

  test("warns that a source of any JSON seldom reaches a repository", async () => {
    const ref = { kind: "branch", name: "main" } as const;
    const watch = { repository: "octocat/blog", ref, cloneUrl: path("none") };
    const target = targetOf("blog", { watch, directory: root });
    const last = (await checkTarget(target, { ...GROUND, tellsPushes: false })).at(-1);
    expect(last?.level).toBe("warn");
    expect(last?.text).toContain("only a body with ref and repository.full_name");
    expect(await remarksOf({})).toEqual([]);
  });

  test("fails a worktree with files that are not from a checkout, and takes an empty one, a checkout or none", async () => {
    const repository = new Repository(path("origin"));
    repository.commit({ "index.html": "Hello" });
    const watch = {
      repository: "octocat/blog",
      ref: { kind: "branch", name: "main" },
      cloneUrl: repository.path,
    } as const;
    const levelOf = async (directory: string, layout = "worktree") => {
      const target = targetOf("blog", { watch, layout, directory });
      return (await checkTarget(target, GROUND)).map(({ level }) => level);
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
