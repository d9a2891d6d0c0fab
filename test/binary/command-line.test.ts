import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version } from "../../package.json";
import { makeCertificate } from "../support/certificate.ts";
import { SECRET, writeConfiguration } from "../support/configuration.ts";
import { EXECUTABLE, Workshop } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";
import { Repository } from "../support/git.ts";
import { words } from "../support/words.ts";

setDefaultTimeout(120_000);

let workshop: Workshop;

beforeEach(() => {
  workshop = new Workshop();
});

afterEach(() => workshop.dispose());

const lastLine = (text: string) => text.trimEnd().split("\n").at(-1) ?? "";

describe("the executable", () => {
  test("contains no path of the machine that built it", () => {
    expect(readFileSync(EXECUTABLE).includes(join(import.meta.dir, "../.."))).toBe(false);
  });

  test("prints its version and its help, and exits with 0", async () => {
    expect(await workshop.run(["--version"])).toEqual({
      exitCode: 0,
      stdout: `hooklatch ${version}\n`,
      stderr: "",
    });
    const help = await workshop.run(["--help"]);
    expect(help.exitCode).toBe(0);
    expect(help.stdout).toMatchSnapshot();
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
  ])("exits with 2 and reports the error in: hooklatch %s", async (line) => {
    const { exitCode, stdout, stderr } = await workshop.run(line.split(" "));
    expect(exitCode).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toStartWith("hooklatch: ");
    expect(stderr).not.toContain("    at ");
    expect(stderr).toMatchSnapshot();
  });

  test("exits with 2 and lists the subcommands when a subcommand is missing", async () => {
    const { stderr, ...result } = await workshop.run(["send"]);
    expect(result).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toMatch(/^hooklatch: .*\bping\b.*\bpush\b.*\n$/);
    expect(stderr).toMatchSnapshot();
  });

  test("exits with 2, reports all errors in the configuration, and creates no files", async () => {
    const config = workshop.write(
      "hooklatch.toml",
      '[server]\nport = "9000"\nmaxbody = "1MiB"\n[[target]]\nname = "blog"\nrepository = "octocat/blog"\nbrnach = "main"\n',
    );
    for (const command of ["serve", "check"]) {
      const { exitCode, stderr } = await workshop.run([command, "--config", config]);
      expect(exitCode).toBe(2);
      for (const fact of ["server.port", '"max_body"', '"branch"', "target[0].directory"])
        expect(stderr).toContain(fact);
      for (const line of stderr.trim().split("\n")) expect(line).toStartWith("hooklatch: ");
      expect(words(stderr)).toMatchSnapshot(command);
    }
    expect(readdirSync(workshop.path)).toEqual(["hooklatch.toml"]);
  });

  test.each(["BUN_INSPECT", "BUN_INSPECT_CONNECT_TO"])(
    "exits with 2 and names $%s, which opens a debugger",
    async (name) => {
      const env = { [name]: `127.0.0.1:${freePort()}`, PORT: "0" };
      const { exitCode, stderr } = await workshop.run(["serve"], env);
      expect(exitCode).toBe(2);
      expect(lastLine(stderr)).toContain(name);
      expect(readdirSync(workshop.path)).toEqual([]);
    },
  );

  test("verifies certificates also with NODE_TLS_REJECT_UNAUTHORIZED=0, and logs a warning", async () => {
    const { cert, key } = makeCertificate(workshop.path, "own");
    const env = { NODE_TLS_REJECT_UNAUTHORIZED: "0" };
    const server = await workshop.serve([], { ...env, PORT: "0", TLS_CERT: cert, TLS_KEY: key });
    expect(server.log.some(({ level, msg }) => level === "warn" && String(msg).includes("NODE_TLS"))).toBe(
      true,
    );
    const send = ["send", "ping", "--url", `${server.url.origin}/webhook`];
    const { exitCode, stderr } = await workshop.run(send, env);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("SELF_SIGNED");
  });

  test("exits with 1 and reports the port when it is in use", async () => {
    const server = await workshop.serve([], { PORT: "0" });
    const second = await workshop.run(["serve"], { PORT: server.url.port, HOOKLATCH_DATA_DIR: "other" });
    expect(second.exitCode).toBe(1);
    expect(lastLine(second.stderr)).toMatch(
      new RegExp(`^hooklatch: .*\\b${server.url.port}\\b.*127\\.0\\.0\\.1`),
    );
    expect(words(lastLine(second.stderr))).toMatchSnapshot();
  });

  test("check examines commands with the PATH of the running server", async () => {
    chmodSync(workshop.write("bin/build", "#!/bin/sh\n"), 0o755);
    mkdirSync(join(workshop.path, "site"));
    const keys = 'directory = "site"\nrun = ["build --all", ["build"]]\n';
    writeConfiguration(workshop, { targets: `[[target]]\nname = "blog"\n${keys}` });
    const alone = await workshop.run(["check"], { SECRET });
    expect(alone.stdout).toMatch(/^warn target blog: program build not found in PATH/m);
    const path = `${join(workshop.path, "bin")}:${process.env.PATH}`;
    const server = await workshop.serve([], { SECRET, PATH: path });
    const { stdout } = await workshop.run(["check"], { SECRET });
    expect(stdout).toContain(`process ${server.pid}): ${path}\n`);
    expect(stdout).not.toContain("program build");
  });

  test.each([
    ['directory = "~/blog"', "target[0].directory"],
    ['directory = "$HOME/blog"', "target[0].directory"],
    ['directory = "site"\nenv = { PATH = "/opt/node/bin:$PATH" }', "target[0].env.PATH"],
  ])("rejects text that only a shell would expand and creates nothing: %s", async (lines, place) => {
    const target = '[[target]]\nname = "blog"\nrepository = "octocat/blog"\nbranch = "main"';
    workshop.write("hooklatch.toml", `${target}\n${lines}\n`);
    for (const command of ["check", "serve"]) {
      const { exitCode, stderr } = await workshop.run([command]);
      expect(exitCode).toBe(2);
      expect(stderr).toContain(`: target "blog": ${place}: `);
    }
    expect(readdirSync(workshop.path)).toEqual(["hooklatch.toml"]);
  });

  test("prints an error that stops the start after the log lines before it", async () => {
    using other = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
    const { stderr } = await workshop.run(["serve"], { PORT: String(other.port) });
    const lines = stderr.trimEnd().split("\n");
    const { level, file, msg } = JSON.parse(lines[1] ?? "");
    expect([level, file]).toEqual(["warn", expect.stringMatching(/\/admin\.token$/)]);
    expect(lines.at(-1)).toMatch(new RegExp(`^hooklatch: .*\\b${other.port}\\b.*127\\.0\\.0\\.1`));
    expect([msg, lines.at(-1)].map((text) => words(text))).toMatchSnapshot();
  });

  test("exits immediately on a second signal without losing log lines", async () => {
    const server = await workshop.serve([], { PORT: "0" });
    process.kill(server.pid, "SIGTERM");
    await server.end("SIGTERM");
    // The line about the first signal follows the one about listening, which has a URL.
    const stopping = server.log[server.log.findIndex(({ url }) => url !== undefined) + 1];
    expect(stopping?.level).toBe("info");
    expect(stopping?.msg).toMatchSnapshot();
  });

  test("exits with 1 when a configured admin port is in use, and runs without the default admin port", async () => {
    const first = await workshop.serve([], { PORT: "0" });
    const taken = workshop.write(
      "taken.toml",
      `data_dir = "taken"\n[server]\nport = 0\n[admin]\nport = ${first.url.port}\n`,
    );
    const second = await workshop.run(["serve", "--config", taken]);
    expect(second.exitCode).toBe(1);
    expect(lastLine(second.stderr)).toMatch(
      new RegExp(`^hooklatch: .*\\b${first.url.port}\\b.*127\\.0\\.0\\.1`),
    );
    expect(words(lastLine(second.stderr))).toMatchSnapshot();
    const another = await workshop.serve([], { PORT: "0", HOOKLATCH_DATA_DIR: "another" });
    expect((await fetch(new URL("/healthz", another.url))).status).toBe(200);
  });
});

describe("hooklatch init, check, serve and send", () => {
  test("init --system --dry-run names this executable and writes nothing", async () => {
    const { exitCode, stdout } = await workshop.run(["init", "--system", "--dry-run"]);
    expect(exitCode).toBe(0);
    // A developer may have set up this machine.
    const copy =
      stdout.includes(`a copy of ${EXECUTABLE}`) || stdout.includes(`install -m 755 ${EXECUTABLE}`);
    expect(copy || stdout.includes("exists   /usr/local/bin/hooklatch\n")).toBe(true);
    expect(stdout).not.toContain("created");
    expect(readdirSync(workshop.path)).toEqual([]);
  });

  test("deploy a site from an empty directory", async () => {
    const repository = new Repository(join(workshop.path, "origin"));
    repository.commit({ "index.html": "hello\n" });
    const init = await workshop.run([
      "init",
      "--generic",
      "--repository",
      "octocat/blog",
      "--directory",
      join(workshop.path, "site"),
    ]);
    expect(init.exitCode).toBe(0);
    const secretFile = join(workshop.path, "hooklatch-data/secrets/github.secret");
    expect(statSync(secretFile).mode & 0o777).toBe(0o600);
    const secret = readFileSync(secretFile, "utf8").trim();
    for (const value of [secret, "https://YOUR-SERVER:9000/github-webhook", "application/json"])
      expect(init.stdout).toMatch(new RegExp(` ${RegExp.escape(value)}$`, "m"));
    expect(words(init.stdout, { [secret]: "<secret>" })).toMatchSnapshot("output of init");

    const file = join(workshop.path, "hooklatch.toml");
    const written = readFileSync(file, "utf8");
    expect(written).not.toContain(secret);
    const again = await workshop.run(["init"]);
    expect(again.exitCode).toBe(1);
    expect(again.stderr).toContain(file);
    expect(words(again.stderr)).toMatchSnapshot("error of the second init");
    expect(readFileSync(file, "utf8")).toBe(written);

    workshop.write(
      "hooklatch.toml",
      written
        .replace("port = 9000", "port = 0")
        .replace('branch = "main"', `branch = "main"\nclone_url = ${JSON.stringify(repository.path)}`),
    );
    const check = await workshop.run(["check"]);
    const lines = check.stdout.split("\n");
    const tip = repository.tip.slice(0, 12);
    const remote = lines.find((line) => line.includes(repository.path)) ?? "";
    expect(remote).toMatch(/^ok {3}.*\bmain\b/);
    expect(remote).toContain(tip);
    expect(words(remote, { [tip]: "<commit>" })).toMatchSnapshot("line of check about the remote");
    expect(lines.filter((line) => line.startsWith("fail"))).toEqual([]);
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
    const reasons: string[] = [];
    for (const [options, facts] of [
      [["--branch", "dev", "--form"], /^blog: .*"dev".*"main"/],
      [["--tag", "main"], /^blog: .*"main".*"main"/],
      [["--deleted"], /^blog: .*"main"/],
      [["--repository", "octocat/other"], /^blog: .*"octocat\/other".*"octocat\/blog"/],
    ] as const) {
      const skipped = await workshop.run(["send", "push", "--url", url, ...options]);
      expect(skipped.exitCode).toBe(0);
      const { status, reason } = JSON.parse(skipped.stdout.slice(4));
      expect(status).toBe("skipped");
      expect(reason).toMatch(facts);
      reasons.push(reason);
    }
    expect(reasons).toMatchSnapshot("reasons for skipped pushes");
  });

  test("check reports a remote that does not exist, and changes nothing", async () => {
    const config = workshop.write(
      "hooklatch.toml",
      `[[target]]\nname = "blog"\nrepository = "octocat/blog"\nbranch = "main"\nclone_url = "/nowhere/blog.git"\ndirectory = "site"\n`,
    );
    const { exitCode, stdout } = await workshop.run(["check", "--config", config]);
    expect(exitCode).toBe(1);
    const failure = stdout.split("\n").find((line) => line.includes("/nowhere/blog.git")) ?? "";
    expect(failure).toMatch(/^fail .*\bblog: .*\bmain\b/);
    expect(failure.replace(/: '[^;]*;/, ": <message of git>;")).toMatchSnapshot();
    for (const line of stdout.trim().split("\n")) expect(line).toMatch(/^(ok {2}|warn|fail) /);
    expect(readdirSync(workshop.path)).toEqual(["hooklatch.toml"]);
  });
});

describe("hooklatch demo", () => {
  test("shows deliveries and deployments, and leaves no files behind", async () => {
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith("hooklatch-demo-"));
    const { exitCode, stdout, stderr } = await workshop.run(["demo"], {
      WEBHOOK_VERIFY_TOKEN: "",
      PORT: "1",
      TMPDIR: tmpdir(),
    });
    expect(stderr).toBe("");
    expect(exitCode).toBe(0);
    for (const status of ["not authorised", "success", "pong", "ok", "skipped"])
      expect(stdout).toContain(`{"status":"${status}"`);
    expect(stdout.match(/ 202 /g)).toHaveLength(2);
    expect(stdout).toMatch(/"reason":"blog: .*\\"draft\\".*\\"main\\"/);
    expect(words(stdout).replace(/\b[\d.]+ m?s\b/g, "<duration>")).toMatchSnapshot();
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith("hooklatch-demo-"))).toEqual(before);
    expect(existsSync(join(workshop.path, "hooklatch-data"))).toBe(false);
  });
});
