import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version } from "../../package.json" with { type: "json" };
import { Workshop } from "../support/executable.ts";
import { Repository } from "../support/git.ts";

setDefaultTimeout(120_000);

let workshop: Workshop;

beforeEach(() => {
  workshop = new Workshop();
});

afterEach(() => workshop.dispose());

describe("the executable", () => {
  test("tells its version and its commands, and exits with 0", async () => {
    expect(await workshop.run(["--version"])).toEqual({
      exitCode: 0,
      stdout: `hooklatch ${version}\n`,
      stderr: "",
    });
    const help = await workshop.run(["--help"]);
    expect(help.exitCode).toBe(0);
    for (const command of ["serve", "init", "check", "demo", "send"]) {
      expect(help.stdout).toContain(`  ${command} `);
      const one = await workshop.run([command, "--help"]);
      expect(one.exitCode).toBe(0);
      expect(one.stdout).toStartWith(`Usage: hooklatch ${command}`);
    }
  });

  test.each([
    "nonsense",
    "--nonsense",
    "serve --nonsense",
    "serve nonsense",
    "send nonsense",
    "send push --commit",
  ])("exits with 2 and says what is wrong with: %s", async (line) => {
    const { exitCode, stdout, stderr } = await workshop.run(line.split(" "));
    expect(exitCode).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toStartWith("hooklatch: ");
    expect(stderr).not.toContain("    at ");
  });

  test("exits with 2 and says which there are when a command needs another word", async () => {
    expect(await workshop.run(["send"])).toEqual({
      exitCode: 2,
      stdout: "",
      stderr: "hooklatch: which? hooklatch send has ping, push; see hooklatch send --help\n",
    });
  });

  test("exits with 2, tells all faults of the configuration at once, and starts nothing", async () => {
    const config = workshop.write(
      "hooklatch.toml",
      '[server]\nport = "9000"\nmaxbody = "1MiB"\n[[target]]\nname = "blog"\nrepository = "octocat/blog"\nbrnach = "main"\n',
    );
    for (const command of ["serve", "check"]) {
      const { exitCode, stderr } = await workshop.run([command, "--config", config]);
      expect(exitCode).toBe(2);
      expect(stderr).toContain("server.port");
      expect(stderr).toContain('did you mean "max_body"?');
      expect(stderr).toContain('did you mean "branch"?');
      expect(stderr).toContain("target[0].directory");
      for (const line of stderr.trim().split("\n")) expect(line).toStartWith("hooklatch: ");
    }
    expect(readdirSync(workshop.path)).toEqual(["hooklatch.toml"]);
  });

  test("exits with 1 when the port is taken, and says so", async () => {
    const server = await workshop.serve([], { PORT: "0" });
    const second = await workshop.run(["serve"], { PORT: server.url.port, HOOKLATCH_DATA_DIR: "other" });
    expect(second.exitCode).toBe(1);
    expect(second.stderr).toContain(`port ${server.url.port} on 127.0.0.1 is in use`);
  });

  test("tells an error that ends the start after what the log told before it", async () => {
    using other = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
    const { stderr } = await workshop.run(["serve"], { PORT: String(other.port) });
    const lines = stderr.trimEnd().split("\n");
    expect(lines[0]).toContain("no admin token is set: made one");
    expect(lines.at(-1)).toStartWith(`hooklatch: port ${other.port} on 127.0.0.1 is in use`);
  });

  test("ends at once by a second signal, and loses no line of the log", async () => {
    const server = await workshop.serve([], { PORT: "0" });
    process.kill(server.pid, "SIGTERM");
    await server.end("SIGTERM");
    expect(server.stderr).toContain("stopping: answering what is under way");
  });

  test("exits with 1 when the admin port that somebody chose is taken, and goes on without the default one", async () => {
    const first = await workshop.serve([], { PORT: "0" });
    const taken = workshop.write(
      "taken.toml",
      `data_dir = "taken"\n[server]\nport = 0\n[admin]\nport = ${first.url.port}\n`,
    );
    const second = await workshop.run(["serve", "--config", taken]);
    expect(second.exitCode).toBe(1);
    expect(second.stderr).toContain(`port ${first.url.port} on 127.0.0.1 is in use`);
    const another = await workshop.serve([], { PORT: "0", HOOKLATCH_DATA_DIR: "another" });
    expect((await fetch(new URL("/healthz", another.url))).status).toBe(200);
  });
});

describe("hooklatch init, check, serve and send", () => {
  test("lead from an empty directory to a live site", async () => {
    const repository = new Repository(join(workshop.path, "origin"));
    repository.commit({ "index.html": "hello\n" });
    const init = await workshop.run([
      "init",
      "--repository",
      "octocat/blog",
      "--directory",
      join(workshop.path, "site"),
    ]);
    expect(init.exitCode).toBe(0);
    const secretFile = join(workshop.path, "hooklatch-data/secrets/github.secret");
    expect(statSync(secretFile).mode & 0o777).toBe(0o600);
    expect(init.stdout).toContain(`Secret        ${readFileSync(secretFile, "utf8").trim()}`);
    expect(init.stdout).toContain("Payload URL   https://YOUR-SERVER:9000/github-webhook");

    const file = join(workshop.path, "hooklatch.toml");
    const written = readFileSync(file, "utf8");
    expect(written).not.toContain(readFileSync(secretFile, "utf8").trim());
    const again = await workshop.run(["init"]);
    expect(again.exitCode).toBe(1);
    expect(again.stderr).toContain("is there already");
    expect(readFileSync(file, "utf8")).toBe(written);

    workshop.write(
      "hooklatch.toml",
      written
        .replace("port = 9000", "port = 0")
        .replace('branch = "main"', `branch = "main"\nclone_url = ${JSON.stringify(repository.path)}`),
    );
    const check = await workshop.run(["check"]);
    expect(check.stdout).toContain(`branch main of ${repository.path} at ${repository.tip.slice(0, 12)}`);
    expect(check.stdout.split("\n").filter((line) => line.startsWith("fail"))).toEqual([]);
    expect(check.exitCode).toBe(0);

    const server = await workshop.serve();
    const url = new URL("/github-webhook", server.url).href;
    expect(await workshop.run(["send", "ping", "--url", url])).toMatchObject({
      exitCode: 0,
      stdout: '200 {"status":"pong","delivery":1}\n',
    });
    const push = await workshop.run(["send", "push", "--url", url]);
    expect(push).toMatchObject({
      exitCode: 0,
      stdout: '202 {"status":"ok","delivery":2,"deployments":[{"id":1,"target":"blog"}]}\n',
    });
    expect(await server.untilDeployed(1)).toMatchObject({
      state: "succeeded",
      reason: null,
      commit: repository.tip,
    });
    expect(readFileSync(join(workshop.path, "site/current/index.html"), "utf8")).toBe("hello\n");

    const wrong = await workshop.run([
      "send",
      "push",
      "--url",
      url,
      "--secret",
      "a wrong secret, long enough",
    ]);
    expect(wrong).toMatchObject({ exitCode: 1, stdout: '401 {"status":"signature verification failed"}\n' });
    const generic = await workshop.run([
      "send",
      "ping",
      "--source",
      "webhook",
      "--url",
      new URL("/webhook", server.url).href,
    ]);
    expect(generic).toMatchObject({ exitCode: 0, stdout: '200 {"status":"success","delivery":3}\n' });
    for (const [options, reason] of [
      [["--branch", "dev", "--form"], 'branch "dev" is not "main"'],
      [["--tag", "main"], 'tag "main" is not branch "main"'],
      [["--deleted"], 'branch "main" was deleted'],
      [["--repository", "octocat/other"], 'repository "octocat/other" is not "octocat/blog"'],
    ] as const) {
      const skipped = await workshop.run(["send", "push", "--url", url, ...options]);
      expect(skipped.exitCode).toBe(0);
      expect(JSON.parse(skipped.stdout.slice(4))).toMatchObject({
        status: "skipped",
        reason: `blog: ${reason}`,
      });
    }
  });

  test("check fails, and says what to do, where the world is not as the configuration says", async () => {
    const config = workshop.write(
      "hooklatch.toml",
      `[[target]]\nname = "blog"\nrepository = "octocat/blog"\nbranch = "main"\nclone_url = "/nowhere/blog.git"\ndirectory = "site"\n`,
    );
    const { exitCode, stdout } = await workshop.run(["check", "--config", config]);
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^fail target blog: branch main of \/nowhere\/blog\.git: /m);
    for (const line of stdout.trim().split("\n")) expect(line).toMatch(/^(ok {2}|warn|fail) /);
    expect(readdirSync(workshop.path)).toEqual(["hooklatch.toml"]);
  });
});

describe("hooklatch demo", () => {
  test("does the whole job and leaves nothing behind", async () => {
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith("hooklatch-demo-"));
    const { exitCode, stdout, stderr } = await workshop.run(["demo"], {
      WEBHOOK_VERIFY_TOKEN: "",
      PORT: "1",
    });
    expect(stderr).toBe("");
    expect(exitCode).toBe(0);
    for (const words of [
      "not authorised",
      "success",
      "pong",
      "202",
      "Hello from the first push",
      "Hello from the second push",
    ]) {
      expect(stdout).toContain(words);
    }
    expect(stdout).toContain('branch \\"draft\\" is not \\"main\\"');
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith("hooklatch-demo-"))).toEqual(before);
    expect(existsSync(join(workshop.path, "hooklatch-data"))).toBe(false);
  });
});
