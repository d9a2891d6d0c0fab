import { randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { type App, startApp } from "../../app/index.ts";
import { NO_DEPLOYMENTS } from "../../config/windows.ts";
import { runProcess } from "../../deploy/process/process.ts";
import { tryToListen } from "../../doctor/port.ts";
import type { SampleRequest } from "../../domain/provider.ts";
import type { Source } from "../../domain/source.ts";
import { AppError } from "../../lib/errors.ts";
import { createLog } from "../../lib/log.ts";
import { startStoreThread } from "../../store/thread/index.ts";
import { requestSource, sendDelivery, showToken } from "../api/request.ts";
import { openInBrowser } from "../browser.ts";
import { readConfiguration } from "../configuration.ts";
import { withExamples } from "../options.ts";
import type { Terminal } from "../terminal.ts";

const REPOSITORY = "octocat/blog";

/** Milliseconds in which a push must go live. */
const TIMEOUT = 30_000;

/** The defaults of `[admin]`. */
const ADMIN = { host: "127.0.0.1", port: 9001 };

/** `hooklatch demo`: shows deliveries and deployments on loopback, in a temporary directory. */
export function demo(terminal: Terminal): Command {
  const command = new Command("demo")
    .description("receive and deploy pushes of a temporary repository, on loopback, to see how it works")
    .option("--keep", "leave the server running until Ctrl-C")
    .action(async ({ keep = false }: { keep?: boolean }) => {
      if (process.platform === "win32") throw new AppError("configuration", NO_DEPLOYMENTS);
      const home = mkdtempSync(join(tmpdir(), "hooklatch-demo-"));
      try {
        await runDemo(home, keep, terminal);
      } finally {
        rmSync(home, { recursive: true, force: true });
      }
    });
  return withExamples(command, "hooklatch demo", "hooklatch demo --keep");
}

/** Starts a server in `home`, runs the demo against it and stops the server. Ctrl-C ends the demo at any time. */
async function runDemo(home: string, keep: boolean, terminal: Terminal): Promise<void> {
  const stopping = new AbortController();
  const stopped = terminal.untilStopped().then(() => stopping.abort());
  const forge = await createForge(home, terminal);
  const file = writeConfiguration(home, forge.url, await chooseAdminPort());
  // The user's environment must not change the demo's configuration.
  const env = { PATH: terminal.env.PATH, HOME: terminal.env.HOME };
  const { config } = readConfiguration(file, { ...terminal, env });
  const lines: string[] = [];
  const log = await createLog({
    write: (line) => lines.push(line),
    format: "json",
    colours: false,
    debug: false,
  });
  const print = (line: string) => terminal.out(`    printed by the server: ${line}\n`);
  const environment = {
    clock: terminal.clock,
    log,
    env: terminal.env,
    print,
    reload: async () =>
      ({ kind: "invalid", faults: ["the demo does not reload its configuration"] }) as const,
    onReady: () => {},
  };
  const storeThread = startStoreThread();
  const store = await storeThread.open(config.dataDir).catch((error) => {
    storeThread.end();
    throw error;
  });
  const app = await startApp(config, environment, stopping.signal, store);
  if (app === null) return;
  const out = (text: string) => (stopping.signal.aborted ? undefined : terminal.out(text));
  try {
    const steps = runSteps({ home, forge, app, sources: config.sources, terminal: { ...terminal, out } });
    await Promise.race([steps, stopped]);
    out(keep ? explainKeep(home, file, app) : NEXT_STEPS);
    if (keep) {
      if (app.adminUrl !== null) await openInBrowser(app.adminUrl.href, terminal);
      await stopped;
    }
  } catch (error) {
    terminal.err(lines.join(""));
    throw error;
  } finally {
    await app.close();
  }
}

interface Demo {
  readonly home: string;
  readonly forge: Forge;
  readonly app: App;
  readonly sources: readonly Source[];
  readonly terminal: Terminal;
}

async function runSteps(demo: Demo): Promise<void> {
  const { terminal, app, forge, home } = demo;
  const hello = Buffer.from('{"hello":"world"}');
  const delivery = () => ({ deliveryId: randomUUID(), form: false });
  terminal.out(`hooklatch listens on ${app.url.href} and stores everything in ${home}\n`);

  terminal.out("\n1. A stranger posts to /webhook, shows the verify token with a GET, and posts again\n");
  const headers = { "content-type": "application/json" };
  const stranger = await requestSource(new URL("/webhook", app.url), {
    method: "POST",
    headers,
    body: hello,
  });
  terminal.out(`    POST ${stranger.code} ${stranger.text}\n`);
  await deliver(demo, "webhook", { kind: "payload", event: "hello", ...delivery(), json: hello });

  terminal.out("\n2. GitHub sends its signed ping to /github-webhook\n");
  await deliver(demo, "github", { kind: "ping", ...delivery(), repository: REPOSITORY });

  const push = (branch: string, after: string) => {
    const [ref, before] = [`refs/heads/${branch}`, "0".repeat(40)];
    return deliver(demo, "github", {
      kind: "push",
      ...delivery(),
      repository: REPOSITORY,
      ref,
      before,
      after,
    });
  };
  const pushAndWait = async (text: string) => {
    const commit = await forge.commit(text, "main");
    const since = performance.now();
    await push("main", commit);
    const current = join(home, "site", "current");
    const page = await waitForPage(join(current, "index.html"), text, demo);
    const took = Math.round(performance.now() - since);
    terminal.out(`    live after ${took} ms: current -> ${readlinkSync(current)}\n    ${page.trim()}\n`);
  };
  terminal.out(`\n3. A developer pushes to ${REPOSITORY}, and GitHub sends the signed push\n`);
  await pushAndWait("Hello from the first push");
  terminal.out("\n4. The next push replaces the release in one step\n");
  await pushAndWait("Hello from the second push");

  terminal.out("\n5. A push to another branch is stored, with the reason why it deploys nothing\n");
  await push("draft", await forge.commit("A draft", "draft"));
  terminal.out("\n");
}

async function deliver({ sources, app, terminal }: Demo, name: string, sample: SampleRequest): Promise<void> {
  const source = sources.find((each) => each.name === name);
  if (source === undefined) throw new Error(`the demo's configuration has no source ${name}`);
  const url = new URL(source.path, app.url).href;
  const shown = await showToken(url, source.handler);
  if (shown !== null) terminal.out(`    GET  ${shown.code} ${shown.text}\n`);
  const { code, text } = await sendDelivery(url, source.handler, sample);
  terminal.out(`    POST ${code} ${text}\n`);
}

async function waitForPage(file: string, text: string, { terminal }: Demo): Promise<string> {
  const deadline = performance.now() + TIMEOUT;
  while (performance.now() < deadline) {
    const page = existsSync(file) ? readFileSync(file, "utf8") : "";
    if (page.includes(text)) return page;
    await terminal.clock.sleep(20);
  }
  throw new AppError("failed", `the push did not go live within ${TIMEOUT / 1000} s: see the log above`);
}

/** A bare repository in place of a forge, and an author who pushes to it. */
interface Forge {
  readonly url: string;
  /** Pushes a new commit with a page of this text to the branch, and returns the commit's id. */
  commit(text: string, branch: string): Promise<string>;
}

async function createForge(home: string, { env }: Terminal): Promise<Forge> {
  const url = join(home, "forge.git");
  const work = join(home, "author");
  const shellEnv = {
    PATH: env.PATH ?? "/usr/local/bin:/usr/bin:/bin",
    // The user's settings must not change the demo.
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
  };
  async function runScript(script: string, ...args: readonly string[]): Promise<string> {
    const lines: string[] = [];
    const { signal } = new AbortController();
    const argv = ["/bin/sh", "-ec", script, "sh", ...args];
    const onLine = (line: string) => lines.push(line);
    const { exitCode } = await runProcess(argv, { cwd: home, env: shellEnv, onLine, signal });
    const last = lines.at(-1) ?? "no output";
    if (exitCode === 0) return last;
    throw new AppError("failed", `cannot prepare the repository (is git installed?): ${last}`);
  }

  await runScript('git init --quiet --bare "$1"; git init --quiet "$2"', url, work);
  const commitScript = `cd "$1"; echo "$2" > page.txt; git add page.txt
git -c user.name=Mona -c user.email=mona@example.com commit --quiet --message "$2"
git push --quiet "$3" "HEAD:refs/heads/$4"; git rev-parse HEAD`;
  return { url, commit: (text, branch) => runScript(commitScript, work, text, url, branch) };
}

/** Another server may use the default port. 0 picks a free one. */
async function chooseAdminPort(): Promise<number> {
  return (await tryToListen(ADMIN.host, ADMIN.port)) === null ? ADMIN.port : 0;
}

function writeConfiguration(home: string, cloneUrl: string, adminPort: number): string {
  const file = join(home, "hooklatch.toml");
  const text = `data_dir = "data"

[server]
port = 0

[admin]
port = ${adminPort}

[[source]]
name = "github"
provider = "github"
path = "/github-webhook"

[[source]]
name = "webhook"
provider = "generic"
path = "/webhook"

[[target]]
name = "blog"
source = "github"
repository = ${JSON.stringify(REPOSITORY)}
branch = "main"
clone_url = ${JSON.stringify(cloneUrl)}
directory = "site"
run = ['''(echo "<h1>"; cat page.txt; echo "</h1>") | tr -d '\\n' > index.html''']
`;
  writeFileSync(file, text);
  return file;
}

const NEXT_STEPS = `Next:
  hooklatch init         write hooklatch.toml and fresh secrets; print what to paste into the forge
  hooklatch check        check the configuration and everything it refers to
  hooklatch serve        run the server
  hooklatch demo --keep  run this demo and leave the server running
`;

function explainDashboard(home: string, { adminUrl }: App): string {
  if (adminUrl === null) return "The dashboard is not available, because its port is in use.";
  const token = join(home, "data/secrets/admin.token");
  return `The dashboard is at ${adminUrl.href}; log in with the token that this command prints:
  cat ${token}`;
}

function explainKeep(home: string, file: string, app: App): string {
  return `The server is still running; everything is in ${home}.
${explainDashboard(home, app)}
In another terminal:
  cat ${file}
  hooklatch send push --config ${file} --url ${new URL("/github-webhook", app.url).href}
  curl ${new URL("/healthz", app.url).href}
Ctrl-C stops the server and removes the directory.
`;
}
