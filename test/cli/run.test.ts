import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runHooklatch } from "./command-line.ts";

setDefaultTimeout(120_000);

let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "hooklatch-test-"));
});

afterEach(() => rmSync(cwd, { recursive: true }));

function hooklatch(line: string, env: Record<string, string> = {}) {
  return runHooklatch(line, { cwd, env });
}

describe("hooklatch init", () => {
  test.each([
    ["--repository nonsense", "--repository: expected owner/name"],
    ["--repository a/b.git", "target[0].repository"],
    ["--repository a/b --branch=--evil", "target[0].branch"],
    ["--url ftp://x", "--url: expected one like"],
    ["--url https://x/path?query", "--url: expected one like"],
    ["--branch dev", "--branch needs --repository"],
    ["--directory /srv/blog", "--directory needs --repository"],
  ])("writes nothing of what it would refuse itself: %s", async (options, message) => {
    const { exitCode, stdout, stderr } = await hooklatch(`init ${options}`);
    expect([exitCode, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain(".new");
    expect(readdirSync(cwd)).toEqual([]);
  });

  test.each(["HOST", "HOOKLATCH_CONFIG", "HOOKLATCH_DATA_DIR"])(
    "writes nothing where $%s is no good",
    async (name) => {
      const { exitCode, stderr } = await hooklatch("init", { [name]: "" });
      const message = `environment: $${name}: is set but empty: give it a value or unset it`;
      expect([exitCode, stderr]).toEqual([2, `hooklatch: ${message}\n`]);
      expect(readdirSync(cwd)).toEqual([]);
    },
  );

  test("never follows a symbolic link that leads nowhere, and says so", async () => {
    symlinkSync(join(cwd, "nowhere.toml"), join(cwd, "hooklatch.toml"));
    const { exitCode, stderr } = await hooklatch("init");
    expect([exitCode, stderr]).toEqual([
      1,
      `hooklatch: ${join(cwd, "hooklatch.toml")} is a symbolic link that leads nowhere and stays as it is; move it away or choose another --config\n`,
    ]);
    expect(readdirSync(cwd)).toEqual(["hooklatch.toml"]);
  });

  test("puts the file and the data where the environment says", async () => {
    const env = { HOOKLATCH_CONFIG: "etc/hook/latch.toml", HOOKLATCH_DATA_DIR: "var/data" };
    const { exitCode, stdout } = await hooklatch("init", env);
    expect(exitCode).toBe(0);
    expect(stdout).toContain("wrote etc/hook/latch.toml\n");
    expect(stdout).toContain("Then: hooklatch check, and hooklatch serve\n");
    const written = readFileSync(join(cwd, "etc/hook/latch.toml"), "utf8");
    expect(written).toContain(`data_dir = "${join(cwd, "var/data")}"`);
    expect(written).toContain(`secrets = ["file:${join(cwd, "var/data/secrets/github.secret")}"]`);
    expect(readdirSync(join(cwd, "var/data/secrets")).sort()).toEqual([
      "github.secret",
      "webhook.verify-token",
    ]);
    expect((await hooklatch("check", { HOOKLATCH_CONFIG: "etc/hook/latch.toml" })).exitCode).toBe(0);
  });

  test("makes directories that the service can get through, and private data", async () => {
    await hooklatch("init --config etc/hook/latch.toml");
    const modeOf = (path: string) => statSync(join(cwd, path)).mode & 0o777;
    const open = 0o755 & ~process.umask();
    expect(["etc", "etc/hook"].map(modeOf)).toEqual([open, open]);
    expect(["etc/hook/hooklatch-data", "etc/hook/hooklatch-data/secrets"].map(modeOf)).toEqual([
      0o700, 0o700,
    ]);
  });

  test("writes one that check takes, with the target as an example to fill in", async () => {
    expect((await hooklatch("init --url https://hooks.example.com")).exitCode).toBe(0);
    expect(readFileSync(join(cwd, "hooklatch.toml"), "utf8")).toContain("# [[target]]");
    const { exitCode, stdout } = await hooklatch("check");
    expect(exitCode).toBe(0);
    expect(stdout).toContain("warn public_url is https, but neither [server.tls] nor [server.acme] is set");
  });

  test("keeps a secret that is there: the forge may know it already", async () => {
    await hooklatch("init");
    const secret = readFileSync(join(cwd, "hooklatch-data/secrets/github.secret"), "utf8");
    rmSync(join(cwd, "hooklatch.toml"));
    const { stdout } = await hooklatch("init");
    expect(stdout).toContain("kept hooklatch-data/secrets/github.secret");
    expect(stdout).toContain(secret.trim());
  });

  test("says in one line when it cannot write", async () => {
    writeFileSync(join(cwd, "hooklatch-data"), "a file where the directory should be");
    const { exitCode, stderr } = await hooklatch("init");
    expect(exitCode).toBe(1);
    expect(stderr).toStartWith("hooklatch: cannot write ");
    expect(stderr).not.toContain("a fault of hooklatch");
  });
});

describe("hooklatch send", () => {
  test.each([
    ["send push --url nonsense --secret 0123456789abcdef", "--url: expected a URL"],
    [
      "send push --commit zzz",
      '--commit: expected a full commit id: 40 or 64 lower-case hex digits, found "zzz"',
    ],
    ["send push --before zzz", "--before: expected a full commit id"],
    [`send push --deleted --commit ${"a".repeat(40)}`, "cannot be used with option '--commit <id>'"],
    ["send ping --delivery-id a\u0007b", "--delivery-id: expected at most 128 characters of ASCII"],
    ["send ping --delivery-id \u2665", "--delivery-id: expected at most 128 characters of ASCII"],
    ["send push --branch a --tag b", "cannot be used with"],
    ["send ping --provider nonsense", '--provider: expected one of github, generic, found "nonsense"'],
    ["send ping --source nonsense", "no source nonsense; there are github (github), webhook (generic)"],
    [
      "send ping --secret env:NOWHERE --url http://127.0.0.1:1/",
      "--secret: the environment variable NOWHERE is not set",
    ],
    ["send ping", "source github has no secret yet"],
  ])("exits with 2 and says what is wrong: %s", async (line, message) => {
    const { exitCode, stdout, stderr } = await hooklatch(line);
    expect(exitCode).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain(message);
  });

  test.each([
    ["nowhere.json", "does not exist"],
    [".", "is a directory"],
  ])("exits with 1 and says what to do about the payload %s, which %s", async (file, why) => {
    const { exitCode, stderr } = await hooklatch(
      `send push --payload ${file} --url http://127.0.0.1:1/x --secret 0123456789abcdef`,
    );
    expect([exitCode, stderr]).toEqual([
      1,
      `hooklatch: --payload: ${join(cwd, file)} ${why}: name a file with the JSON to send\n`,
    ]);
  });

  describe("to a server", () => {
    let server: Bun.Server<undefined>;
    let bodies: unknown[];

    beforeEach(() => {
      bodies = [];
      server = Bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        fetch: async (request) => {
          bodies.push(await request.json());
          return new Response("{}");
        },
      });
    });

    afterEach(() => server.stop(true));

    async function sent(line: string): Promise<unknown> {
      const { exitCode, stderr } = await hooklatch(`${line} --url ${server.url} --secret 0123456789abcdef`);
      expect([exitCode, stderr]).toEqual([0, ""]);
      return bodies.pop();
    }

    test("names in a ping the repository that it is told", async () => {
      const repository = { name: "n", full_name: "o/n" };
      expect(await sent("send ping --repository o/n")).toMatchObject({ repository });
    });

    test("fills in what a target that would take it watches", async () => {
      const target = (name: string, ref: string) =>
        `[[target]]\nname = "${name}"\nrepository = "octocat/${name}"\n${ref}\ndirectory = "${name}"\n`;
      const targets = [
        target("tool", 'tag = "v*"'),
        target("blog", 'branch = "dev"'),
        target("docs", 'branch = "gh"'),
      ];
      writeFileSync(
        join(cwd, "hooklatch.toml"),
        targets
          .join("")
          .replaceAll("directory", 'source = "github"\nclone_url = "file:///nowhere"\ndirectory'),
      );
      const send = "send push --config hooklatch.toml";
      const pushOf = (name: string, ref: string) => ({ ref, repository: { full_name: `octocat/${name}` } });
      expect(await sent(send)).toMatchObject(pushOf("blog", "refs/heads/dev"));
      expect(await sent(`${send} --tag v1`)).toMatchObject(pushOf("tool", "refs/tags/v1"));
      expect(await sent(`${send} --repository Octocat/docs`)).toMatchObject({ ref: "refs/heads/gh" });
      expect(await sent(`${send} --repository octocat/other`)).toMatchObject(
        pushOf("other", "refs/heads/main"),
      );
    });
  });

  test("exits with 1 and says what to do when nobody listens", async () => {
    const { exitCode, stderr } = await hooklatch(
      "send ping --url http://127.0.0.1:1/x --secret 0123456789abcdef",
    );
    expect(exitCode).toBe(1);
    expect(stderr).toBe(
      "hooklatch: cannot reach http://127.0.0.1:1: nothing listens there; is the server running?\n",
    );
  });
});

describe("hooklatch delivery replay", () => {
  test("exits with 2 without a token for another machine, and for what is no number", async () => {
    const remote = await hooklatch("delivery replay 1 --admin-url http://127.0.0.1:1");
    expect([remote.exitCode, remote.stderr]).toEqual([
      2,
      "hooklatch: --admin-url needs the token of that server in $HOOKLATCH_ADMIN_TOKEN\n",
    ]);
    expect((await hooklatch("delivery replay x")).exitCode).toBe(2);
  });

  test("exits with 1 when no server ever ran with this configuration, and makes nothing", async () => {
    const { exitCode, stderr } = await hooklatch("delivery replay 1");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("there is no admin token yet");
    expect(existsSync(join(cwd, "hooklatch-data"))).toBe(false);
  });
});

describe("a command line that is wrong", () => {
  test.each([
    [
      "target",
      "which? hooklatch target has list, show, deploy, rollback, lock, unlock; see hooklatch target --help",
    ],
    ["client", "which? hooklatch client has list, revoke; see hooklatch client --help"],
    ["target nonsense", 'unknown command "nonsense"; see hooklatch target --help'],
    ["target lst", 'unknown command "lst"; did you mean list?'],
    ["target --nonsense", "unknown option '--nonsense'; see hooklatch target --help"],
    ["client list --nonsense", "unknown option '--nonsense'; see hooklatch client list --help"],
    ["client list --jsno", "unknown option '--jsno'; did you mean --json?"],
    ["target show", "missing required argument 'target'; see hooklatch target show --help"],
    ["target lock blog", "required option '--reason <text>' not specified; see hooklatch target lock --help"],
  ])("is told in one line that says where to read on: %s", async (line, message) => {
    expect(await hooklatch(line)).toEqual({ exitCode: 2, stdout: "", stderr: `hooklatch: ${message}\n` });
  });

  test.each(["target --help", "target help"])("is not one that asks for help: %s", async (line) => {
    const { exitCode, stdout, stderr } = await hooklatch(line);
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout).toStartWith("Usage: hooklatch target [options] [command]\n");
    expect(stdout).toContain("help [command]");
  });
});

describe("--config", () => {
  test.each([
    "check --config other.toml",
    "--config other.toml check",
    "-c other.toml check",
    "--config=other.toml check",
    "--config other.toml deployment list",
    "--config other.toml",
  ])("names the configuration before the command and after it: %s", async (line) => {
    writeFileSync(join(cwd, "other.toml"), "[admin]\nprot = 1");
    const { exitCode, stderr } = await hooklatch(line);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('other.toml: admin.prot: unknown key "prot"');
  });

  test("is refused before a command that takes none, and without a file", async () => {
    expect((await hooklatch("--config other.toml demo")).exitCode).toBe(2);
    expect((await hooklatch("--config")).exitCode).toBe(2);
  });
});
