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
import { words } from "../support/words.ts";
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

describe("an unknown option", () => {
  test.each([
    ["--nope", "hooklatch"],
    ["-v", "hooklatch"],
    ["--debug --nope", "hooklatch"],
    ["serve --nope", "hooklatch serve"],
    ["--debug serve --nope", "hooklatch serve"],
    ["target list --nope", "hooklatch target list"],
  ])("refers to the help: %s", async (line, command) => {
    const { exitCode, stderr } = await hooklatch(line);
    expect(exitCode).toBe(2);
    expect(stderr.split("\n")[0]).toEndWith(`; see ${command} --help`);
  });
});

describe("hooklatch init", () => {
  test.each([
    ["--repository nonsense", "--repository"],
    ["--repository a/b.git", "target[0].repository"],
    ["--repository https://token@github.com/a/b.git", "--repository"],
    ["--repository a/b --branch=--evil", "target[0].branch"],
    ["--url ftp://x", "--url"],
    ["--url https://x/path?query", "--url"],
    ["--branch dev", "--branch"],
    ["--directory /srv/blog", "--directory"],
    ["--provider gitea --repository a/b", "--base-url"],
    ["--domain example.com --url https://example.com", "--domain"],
    ["--domain example.com", "--agree-terms"],
    ["--sites /srv/www", "--sites"],
    ["--restart nginx", "--restart"],
    ["--dry-run", "--dry-run"],
  ])("writes no invalid configuration: %s", async (options, faulty) => {
    const { exitCode, stdout, stderr } = await hooklatch(`init ${options}`);
    expect([exitCode, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(faulty);
    expect(stderr).not.toContain(".new");
    expect(words(stderr)).toMatchSnapshot();
    expect(readdirSync(cwd)).toEqual([]);
  });

  test.each(["HOST", "HOOKLATCH_CONFIG", "HOOKLATCH_DATA_DIR"])(
    "writes nothing if $%s is empty",
    async (name) => {
      const { exitCode, stderr } = await hooklatch("init", { [name]: "" });
      expect(exitCode).toBe(2);
      expect(stderr).toContain(`$${name}`);
      expect(words(stderr)).toMatchSnapshot();
      expect(readdirSync(cwd)).toEqual([]);
    },
  );

  test("does not follow a dangling symbolic link", async () => {
    symlinkSync(join(cwd, "nowhere.toml"), join(cwd, "hooklatch.toml"));
    const { exitCode, stderr } = await hooklatch("init");
    expect(exitCode).toBe(1);
    expect(stderr).toContain(join(cwd, "hooklatch.toml"));
    expect(words(stderr)).toMatchSnapshot();
    expect(readdirSync(cwd)).toEqual(["hooklatch.toml"]);
  });

  test("writes the file and the data to the paths in the environment", async () => {
    const env = { HOOKLATCH_CONFIG: "etc/hook/latch.toml", HOOKLATCH_DATA_DIR: "var/data" };
    const { exitCode, stdout } = await hooklatch("init", env);
    expect(exitCode).toBe(0);
    for (const fact of ["etc/hook/latch.toml", "hooklatch check", "hooklatch serve"]) {
      expect(stdout).toContain(fact);
    }
    const written = readFileSync(join(cwd, "etc/hook/latch.toml"), "utf8");
    expect(written).toContain(`data_dir = "${join(cwd, "var/data")}"`);
    expect(written).toContain(`secrets = ["file:${join(cwd, "var/data/secrets/github.secret")}"]`);
    expect(readdirSync(join(cwd, "var/data/secrets"))).toEqual(["github.secret"]);
    expect((await hooklatch("check", { HOOKLATCH_CONFIG: "etc/hook/latch.toml" })).exitCode).toBe(0);
  });

  test("creates directories that the service can traverse, and a private data directory", async () => {
    await hooklatch("init --config etc/hook/latch.toml");
    const modeOf = (path: string) => statSync(join(cwd, path)).mode & 0o777;
    const open = 0o755 & ~process.umask();
    expect(["etc", "etc/hook"].map(modeOf)).toEqual([open, open]);
    expect(["etc/hook/hooklatch-data", "etc/hook/hooklatch-data/secrets"].map(modeOf)).toEqual([
      0o700, 0o700,
    ]);
  });

  test("writes a configuration that check accepts, with the target commented out", async () => {
    expect((await hooklatch("init --url https://hooks.example.com")).exitCode).toBe(0);
    expect(readFileSync(join(cwd, "hooklatch.toml"), "utf8")).toContain("# [[target]]");
    const { exitCode, stdout } = await hooklatch("check");
    expect(exitCode).toBe(0);
    expect(
      stdout.split("\n").find((line) => line.startsWith("warn ") && line.includes("public_url")),
    ).toMatchSnapshot();
  });

  test("adds the source of other senders only with --generic", async () => {
    for (const [option, isWritten] of [
      ["", false],
      [" --generic", true],
    ] as const) {
      rmSync(join(cwd, "hooklatch.toml"), { force: true });
      expect((await hooklatch(`init${option}`)).exitCode).toBe(0);
      expect(readFileSync(join(cwd, "hooklatch.toml"), "utf8").includes('path = "/webhook"')).toBe(isWritten);
      expect(existsSync(join(cwd, "hooklatch-data/secrets/webhook.verify-token"))).toBe(isWritten);
      expect((await hooklatch("check")).exitCode).toBe(0);
    }
  });

  test.each([
    ["https://github.com/octocat/blog", null],
    ["https://github.com/octocat/blog.git", null],
    ["git@github.com:octocat/blog.git", "git@github.com:octocat/blog.git"],
    ["ssh://git@git.example.com/octocat/blog", "ssh://git@git.example.com/octocat/blog"],
  ])("accepts the URL of a repository: %s", async (url, cloneUrl) => {
    expect((await hooklatch(`init --repository ${url}`)).exitCode).toBe(0);
    const written = readFileSync(join(cwd, "hooklatch.toml"), "utf8");
    expect(written).toContain('repository = "octocat/blog"');
    expect(/^clone_url = "(.*)"$/m.exec(written)?.[1] ?? null).toBe(cloneUrl);
  });

  test.each([
    "github",
    "gitlab",
    "gitea",
    "gitea --base-url https://git.example.com",
    "bitbucket",
    "standard",
  ])("writes a target that is valid once it is uncommented: %s", async (provider) => {
    expect((await hooklatch(`init --provider ${provider}`)).exitCode).toBe(0);
    const [head = "", target = ""] = readFileSync(join(cwd, "hooklatch.toml"), "utf8").split(
      "# What to deploy",
    );
    const lines = target.split("\n").slice(1);
    writeFileSync(
      join(cwd, "hooklatch.toml"),
      head + lines.map((line) => line.replace(/^# /, "")).join("\n"),
    );
    // Reports the URL only for a valid configuration.
    const line = `send push --url nonsense --source ${provider.split(" ")[0]}`;
    expect((await hooklatch(line)).stderr).toContain("--url: expected");
  });

  test.each([
    ["--provider gitlab --repository a/b/c", "gitlab.secret"],
    ["--provider gitea --repository a/b --base-url https://git.example.com", "gitea.secret"],
    ["--provider standard", "standard.secret"],
    ["--provider bitbucket", "bitbucket.secret"],
  ])("writes a source that the configuration accepts: %s", async (options, file) => {
    const { exitCode, stdout } = await hooklatch(`init ${options}`);
    expect(exitCode).toBe(0);
    const secret = readFileSync(join(cwd, "hooklatch-data/secrets", file), "utf8").trim();
    expect(stdout).toContain(secret);
    expect((await hooklatch("check")).exitCode).not.toBe(2);
  });

  test("leaves the secret that the sender issues to the user", async () => {
    const { exitCode, stdout } = await hooklatch("init --provider stripe");
    expect(exitCode).toBe(0);
    expect(stdout).toContain(join(cwd, "hooklatch-data/secrets/stripe.secret"));
    expect(readdirSync(join(cwd, "hooklatch-data/secrets"))).toEqual([]);
    expect((await hooklatch("check")).exitCode).toBe(2);
  });

  test.each([
    ["--provider stripe --repository a/b", "--repository"],
    ["--provider github --base-url https://git.example.com", "--base-url"],
    ["--provider github --repository a/b/c", "target[0].repository"],
  ])("refuses options that the provider does not have: %s", async (options, faulty) => {
    const { exitCode, stderr } = await hooklatch(`init ${options}`);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(faulty);
    expect(readdirSync(cwd)).toEqual([]);
  });

  test("keeps and shows an existing secret", async () => {
    const first = await hooklatch("init --generic");
    const secret = readFileSync(join(cwd, "hooklatch-data/secrets/github.secret"), "utf8").trim();
    const verifyToken = readFileSync(join(cwd, "hooklatch-data/secrets/webhook.verify-token"), "utf8").trim();
    rmSync(join(cwd, "hooklatch.toml"));
    const second = await hooklatch("init --generic");
    expect(second.stdout).toContain("hooklatch-data/secrets/github.secret");
    expect(second.stdout).toContain(secret);
    for (const { stdout } of [first, second]) {
      expect(stdout).toContain("https://YOUR-SERVER:9000/webhook\n");
      expect(stdout).toContain(verifyToken);
    }
    expect(readFileSync(join(cwd, "hooklatch-data/secrets/github.secret"), "utf8").trim()).toBe(secret);
    const secrets = { [secret]: "<secret>", [verifyToken]: "<verify token>" };
    expect(words(first.stdout, secrets)).toMatchSnapshot("first run");
    expect(words(second.stdout, secrets)).toMatchSnapshot("second run");
  });

  test("reports a write error in one line", async () => {
    writeFileSync(join(cwd, "hooklatch-data"), "a file where the directory should be");
    const { exitCode, stderr } = await hooklatch("init");
    expect(exitCode).toBe(1);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toContain(join(cwd, "hooklatch-data"));
    // Only internal errors refer to --debug.
    expect(stderr).not.toContain("--debug");
    expect(words(stderr.replace(/ENOTDIR.*/, "<system error>"))).toMatchSnapshot();
  });
});

describe("hooklatch send", () => {
  test.each([
    ["an invalid URL", "send push --url nonsense --secret 0123456789abcdef", ["--url"]],
    ["an invalid commit", "send push --commit zzz", ["--commit", "'zzz'"]],
    ["an invalid previous commit", "send push --before zzz", ["--before"]],
    [
      "a commit of a deleted branch",
      `send push --deleted --commit ${"a".repeat(40)}`,
      ["--deleted", "--commit"],
    ],
    ["a control character in the delivery id", "send ping --delivery-id a\u0007b", ["--delivery-id"]],
    ["a delivery id outside ASCII", "send ping --delivery-id \u2665", ["--delivery-id"]],
    ...["--branch main", "--tag v1", "--before zzz", "--deleted", "--repository a/b"].map(
      (option) =>
        [
          `a payload and ${option}`,
          `send push --payload x.json ${option.replace("zzz", "a".repeat(40))}`,
          ["--payload", option.split(" ")[0] ?? ""],
        ] as const,
    ),
    ["a source and a provider", "send ping --source github --provider github", ["--source", "--provider"]],
    ["a branch and a tag", "send push --branch a --tag b", ["--branch", "--tag"]],
    [
      "an unknown provider",
      "send ping --provider nonsense",
      ["--provider", "github", "generic", "'nonsense'"],
    ],
    ["an unknown source", "send ping --source nonsense", ["nonsense", "github", "webhook"]],
    [
      "a secret in a variable that is not set",
      "send ping --secret env:NOWHERE --url http://127.0.0.1:1/",
      ["--secret", "NOWHERE"],
    ],
    ["a source without a secret", "send ping", ["github"]],
    [
      "a secret that standard webhooks do not have",
      "send push --provider standard --url http://127.0.0.1:1/ --secret 0123456789abcdef",
      ["whsec_"],
    ],
    [
      "a ping that GitLab does not send",
      "send ping --provider gitlab --url http://127.0.0.1:1/ --secret 0123456789abcdef",
      ["GitLab", "send push"],
    ],
    [
      "a ping that Gitea does not send",
      "send ping --provider gitea --url http://127.0.0.1:1/ --secret 0123456789abcdef",
      ["Gitea", "send push"],
    ],
  ])("exits with 2 and reports %s", async (_, line, facts) => {
    const { exitCode, stdout, stderr } = await hooklatch(line);
    expect(exitCode).toBe(2);
    expect(stdout).toBe("");
    for (const fact of facts) expect(stderr).toContain(fact);
    expect(words(stderr)).toMatchSnapshot();
  });

  test.each([
    ["a payload file that does not exist", "nowhere.json"],
    ["a directory in place of the payload file", "."],
  ])("exits with 1 and reports %s", async (_, file) => {
    const { exitCode, stderr } = await hooklatch(
      `send push --payload ${file} --url http://127.0.0.1:1/x --secret 0123456789abcdef`,
    );
    expect(exitCode).toBe(1);
    for (const fact of ["--payload", join(cwd, file)]) expect(stderr).toContain(fact);
    expect(words(stderr)).toMatchSnapshot();
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

    /** Runs the command and returns the body that the server received. */
    async function send(line: string): Promise<unknown> {
      const { exitCode, stderr } = await hooklatch(`${line} --url ${server.url} --secret 0123456789abcdef`);
      expect([exitCode, stderr]).toEqual([0, ""]);
      return bodies.pop();
    }

    test("sends a ping with the given repository", async () => {
      const repository = { name: "n", full_name: "o/n" };
      expect(await send("send ping --repository o/n")).toMatchObject({ repository });
    });

    test("imitates the provider of the named source, and replaces only a verify token", async () => {
      const source = (name: string, options: string) =>
        `[[source]]\nname = "${name}"\npath = "/${name}"\n${options}\n`;
      writeFileSync(
        join(cwd, "hooklatch.toml"),
        source("lab", 'provider = "gitlab"') +
          source("signed", 'provider = "generic"\nhmac = { header = "x-sign", secrets = ["env:KEY"] }'),
      );
      const env = { KEY: "0123456789abcdef0123456789abcdef" };
      const push = (name: string) =>
        `send push --url ${server.url} --secret 0123456789abcdef --source ${name}`;
      expect((await hooklatch(push("lab"), env)).exitCode).toBe(0);
      expect(bodies.pop()).toMatchObject({ object_kind: "push" });
      const { exitCode, stderr } = await hooklatch(push("signed"), env);
      expect([exitCode, bodies]).toEqual([2, []]);
      expect(stderr).toMatchSnapshot();
    });

    test("fills in the repository and ref of a target that matches", async () => {
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
      const line = "send push --config hooklatch.toml";
      const pushOf = (name: string, ref: string) => ({ ref, repository: { full_name: `octocat/${name}` } });
      expect(await send(line)).toMatchObject(pushOf("blog", "refs/heads/dev"));
      expect(await send(`${line} --tag v1`)).toMatchObject(pushOf("tool", "refs/tags/v1"));
      expect(await send(`${line} --repository Octocat/docs`)).toMatchObject({ ref: "refs/heads/gh" });
      expect(await send(`${line} --repository octocat/other`)).toMatchObject(
        pushOf("other", "refs/heads/main"),
      );
    });
  });

  test("exits with 1 and reports that the connection was refused", async () => {
    const { exitCode, stderr } = await hooklatch(
      "send ping --url http://127.0.0.1:1/x --secret 0123456789abcdef",
    );
    expect(exitCode).toBe(1);
    expect(stderr).toContain("http://127.0.0.1:1");
    expect(stderr).toMatchSnapshot();
  });
});

describe("hooklatch delivery replay", () => {
  test("exits with 2 for a remote server without a token, and for an invalid number", async () => {
    const remote = await hooklatch("delivery replay 1 --admin-url http://127.0.0.1:1");
    expect(remote.exitCode).toBe(2);
    for (const fact of ["--admin-url", "$HOOKLATCH_ADMIN_TOKEN"]) expect(remote.stderr).toContain(fact);
    expect(words(remote.stderr)).toMatchSnapshot();
    expect((await hooklatch("delivery replay x")).exitCode).toBe(2);
  });

  test("exits with 1 and creates nothing if no server has run with this configuration", async () => {
    const { exitCode, stderr } = await hooklatch("delivery replay 1");
    expect(exitCode).toBe(1);
    expect(words(stderr)).toMatchSnapshot();
    expect(existsSync(join(cwd, "hooklatch-data"))).toBe(false);
  });
});

describe("an invalid command line", () => {
  test.each([
    ["target", ["list", "show", "deploy", "rollback", "lock", "unlock", "hooklatch target --help"]],
    ["client", ["list", "revoke", "hooklatch client --help"]],
    ["target nonsense", ["nonsense", "hooklatch target --help"]],
    ["target lst", ["lst", "list"]],
    ["help nonsense", ["nonsense", "hooklatch --help"]],
    ["help deploymnt", ["deploymnt", "did you mean deployment?"]],
    ["target help nope", ["nope", "hooklatch target --help"]],
    ["lock blog", ["lock", "did you mean hooklatch target lock?"]],
    ["replay 1", ["replay", "did you mean hooklatch delivery replay?"]],
    ["target --nonsense", ["--nonsense", "hooklatch target --help"]],
    ["client list --nonsense", ["--nonsense", "hooklatch client list --help"]],
    ["client list --jsno", ["--jsno", "--json"]],
    ["target show", ["target", "hooklatch target show --help"]],
    ["target lock blog", ["--reason", "hooklatch target lock --help"]],
  ])("exits with 2 and one line that refers to the help or a similar word: %s", async (line, facts) => {
    const { exitCode, stdout, stderr } = await hooklatch(line);
    expect([exitCode, stdout]).toEqual([2, ""]);
    expect(stderr.split("\n")).toHaveLength(2);
    for (const fact of facts) expect(stderr).toContain(fact);
    expect(stderr).toMatchSnapshot();
  });
});

describe("the help of a command", () => {
  test.each(["target --help", "target help"])("is printed to standard output by %s", async (line) => {
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
  ])("is accepted before and after the command: %s", async (line) => {
    writeFileSync(join(cwd, "other.toml"), "[admin]\nprot = 1");
    const { exitCode, stderr } = await hooklatch(line);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("other.toml:2: admin.prot: ");
  });

  test("is rejected before a command that does not support it, and without a file", async () => {
    expect((await hooklatch("--config other.toml demo")).exitCode).toBe(2);
    expect((await hooklatch("--config")).exitCode).toBe(2);
  });
});
