import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { type App, startApp } from "../../app/index.ts";
import type { SampleRequest } from "../../domain/provider.ts";
import type { Source } from "../../domain/source.ts";
import type { Clock } from "../../lib/clock.ts";
import { AppError } from "../../lib/errors.ts";
import { createLog } from "../../lib/log.ts";
import { fetchFrom, greet, post } from "../api/post.ts";
import { readConfiguration } from "../configuration.ts";
import type { Terminal } from "../terminal.ts";
import { type Forge, makeForge } from "./demo-forge.ts";

const REPOSITORY = "octocat/blog";

/** How long the demo waits for a push to be live, in milliseconds. */
const PATIENCE = 30_000;

/** `hooklatch demo`: the whole job in front of a newcomer, on loopback, in a temporary directory. */
export function demo(terminal: Terminal): Command {
  return new Command("demo")
    .description("the whole job on a throw-away repository, on loopback, in a temporary directory")
    .option("--keep", "leave it running to play with, until Ctrl-C")
    .action(async ({ keep = false }: { keep?: boolean }) => {
      const home = mkdtempSync(join(tmpdir(), "hooklatch-demo-"));
      const stopped = terminal.untilStopped();
      try {
        await stage(home, keep, terminal, stopped);
      } finally {
        rmSync(home, { recursive: true, force: true });
      }
    });
}

/** Sets the stage in `home`, plays, and clears it; Ctrl-C at any time ends it cleanly. */
async function stage(home: string, keep: boolean, terminal: Terminal, stopped: Promise<void>): Promise<void> {
  const forge = await makeForge(home, terminal);
  const file = writeConfiguration(home, forge.url);
  const { config } = readConfiguration(file, { ...terminal, env: withoutSettings(terminal.env) });
  const lines: string[] = [];
  const log = await createLog({ write: (line) => lines.push(line), pretty: false, debug: false });
  const print = (line: string) => terminal.out(`    printed by the server: ${line}\n`);
  const stopping = new AbortController();
  void stopped.then(() => stopping.abort());
  const surroundings = { clock: terminal.clock, log, env: terminal.env, print };
  const app = await startApp(config, surroundings, stopping.signal);
  if (app === null) return;
  try {
    let isStopped = false;
    const quiet: Terminal = { ...terminal, out: (text) => (isStopped ? undefined : terminal.out(text)) };
    const stop = stopped.then(() => {
      isStopped = true;
    });
    await Promise.race([play({ home, forge, app, sources: config.sources, terminal: quiet }), stop]);
    if (isStopped) return;
    terminal.out(keep ? explainPlayground(home, file, app) : NEXT_STEPS);
    if (keep) await stopped;
  } catch (error) {
    terminal.err(lines.join(""));
    throw error;
  } finally {
    await app.close();
  }
}

interface Scene {
  readonly home: string;
  readonly forge: Forge;
  readonly app: App;
  readonly sources: readonly Source[];
  readonly terminal: Terminal;
}

/** The main job, as a user and GitHub would do it, each step told before it is done. */
async function play(scene: Scene): Promise<void> {
  const { terminal, app, forge } = scene;
  terminal.out(`hooklatch listens on ${app.url.href} and keeps everything in ${scene.home}\n\n`);

  await tell(
    scene,
    "1. A stranger posts to /webhook, shows the verify token with a GET, and posts again",
    async () => {
      const stranger = await fetchFrom(new URL("/webhook", app.url).href, "POST", {
        headers: new Headers({ "content-type": "application/json" }),
        body: Buffer.from('{"hello":"world"}'),
      });
      terminal.out(`    POST ${stranger.code} ${stranger.text}\n`);
      await deliver(scene, "webhook", {
        kind: "payload",
        event: "hello",
        deliveryId: randomUUID(),
        form: false,
        json: Buffer.from('{"hello":"world"}'),
      });
    },
  );
  await tell(scene, "2. GitHub sends its signed ping to /github-webhook", () =>
    deliver(scene, "github", {
      kind: "ping",
      deliveryId: randomUUID(),
      form: false,
      repository: REPOSITORY,
    }),
  );
  await tell(scene, `3. Somebody pushes to ${REPOSITORY}, GitHub sends the signed push`, () =>
    pushAndWait(scene, "Hello from the first push"),
  );
  await tell(scene, "4. The next push replaces it in one step", () =>
    pushAndWait(scene, "Hello from the second push"),
  );
  await tell(scene, "5. A push to another branch is kept, and told why it deploys nothing", async () => {
    const commit = await forge.commit("A draft", "draft");
    await deliver(scene, "github", describePush("draft", commit));
  });
}

async function tell({ terminal }: Scene, title: string, act: () => Promise<void>): Promise<void> {
  terminal.out(`${title}\n`);
  await act();
  terminal.out("\n");
}

async function pushAndWait(scene: Scene, words: string): Promise<void> {
  const { terminal, forge, home } = scene;
  const commit = await forge.commit(words, "main");
  const since = performance.now();
  await deliver(scene, "github", describePush("main", commit));
  const current = join(home, "site", "current");
  const page = await waitForPage(join(current, "index.html"), words, terminal.clock);
  const took = Math.round(performance.now() - since);
  terminal.out(
    `    live ${took} ms after the push: current -> ${readlinkSync(current)}\n    ${page.trim()}\n`,
  );
}

function describePush(branch: string, commit: string): SampleRequest {
  return {
    kind: "push",
    deliveryId: randomUUID(),
    form: false,
    repository: REPOSITORY,
    ref: `refs/heads/${branch}`,
    before: "0".repeat(40),
    after: commit,
  };
}

async function deliver(
  { sources, app, terminal }: Scene,
  name: string,
  message: SampleRequest,
): Promise<void> {
  const source = sources.find((one) => one.name === name);
  if (source === undefined) throw new Error(`the demo's configuration has no source ${name}`);
  const url = new URL(source.path, app.url).href;
  const greeting = await greet(url, source.handler);
  if (greeting !== null) terminal.out(`    GET  ${greeting.code} ${greeting.text}\n`);
  const answer = await post(url, source.handler, message);
  terminal.out(`    POST ${answer.code} ${answer.text}\n`);
}

async function waitForPage(file: string, words: string, clock: Clock): Promise<string> {
  const deadline = performance.now() + PATIENCE;
  while (performance.now() < deadline) {
    const page = readPage(file);
    if (page.includes(words)) return page;
    await clock.sleep(20);
  }
  throw new AppError("failed", "the push was not live in time; the log above tells why");
}

function readPage(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return ""; // Not there until the first deployment.
  }
}

/** The demo's own file decides everything: no setting of the user's environment leaks in. */
function withoutSettings(env: Terminal["env"]): Terminal["env"] {
  return { PATH: env.PATH, HOME: env.HOME };
}

function writeConfiguration(home: string, cloneUrl: string): string {
  const file = join(home, "hooklatch.toml");
  writeFileSync(
    file,
    `data_dir = "data"

[server]
port = 0

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
`,
  );
  return file;
}

const NEXT_STEPS = `That was the whole job. Next:
  hooklatch init         writes hooklatch.toml and fresh secrets, and says what to paste into GitHub
  hooklatch check        tells what is still missing
  hooklatch serve        runs the server
  hooklatch demo --keep  leaves this demo running to play with
`;

function explainPlayground(home: string, file: string, app: App): string {
  return `It goes on running; everything is in ${home}. In another terminal:
  cat ${file}
  hooklatch send push --config ${file} --url ${new URL("/github-webhook", app.url).href}
  curl ${new URL("/healthz", app.url).href}
Ctrl-C stops it and removes the directory.
`;
}
