import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Server, Workshop } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";
import { pushBody } from "../support/payloads.ts";
import { benchDeploy } from "./deploy.ts";
import { fillStore } from "./fill.ts";
import { benchRenewal } from "./renew.ts";

/**
 * `bun run bench accept | refuse | history` compares requests per second in one run and prints ratios, because machines
 * differ and are shared. Needs wrk. adnanh/webhook is measured if it is installed (both are Debian packages).
 * `bun run bench deploy` measures the time from a push to the live release, compared with git and the step alone.
 * `bun run bench renew` counts the connections that are lost when a certificate is renewed.
 */

const SECRET = "a secret of the bench, long enough";
const ROUNDS = 5;
const SECONDS = 3;
const CONNECTIONS = 64;
/** More than any round sends, because a repeated push would be a duplicate. */
const PUSHES = 400_000;

interface Contestant {
  readonly name: string;
  readonly url: URL;
  readonly path: string;
  end(): Promise<unknown>;
}

const directory = mkdtempSync(join(tmpdir(), "hooklatch-bench-"));
const workshop = new Workshop();
let sent = 0;

/** Writes the input of load.lua: a push of about 7 KB in two halves, and signed commits to insert between them. */
function writeLoad(): void {
  const mark = "f".repeat(40);
  const commits = Array.from({ length: 12 }, (_, at) => ({
    id: randomBytes(20).toString("hex"),
    message: `Change number ${at}`,
    timestamp: "2026-11-21T12:00:00Z",
    url: `https://github.com/octocat/blog/commit/${at}`,
    author: { name: "Mona", email: "mona@example.com", username: "octocat" },
    committer: { name: "GitHub", email: "noreply@github.com", username: "web-flow" },
    added: [`posts/${at}.md`],
    removed: [],
    modified: ["index.html", "feed.xml"],
  }));
  const [head = "", tail = ""] = pushBody({ after: mark, commits }).split(mark);
  const lines: string[] = [];
  for (let count = 0; count < PUSHES; count++) {
    const commit = randomBytes(20).toString("hex");
    const signature = new Bun.CryptoHasher("sha256", SECRET).update(head + commit + tail).digest("hex");
    lines.push(`${commit} ${signature}\n`);
  }
  writeFileSync(join(directory, "head"), head);
  writeFileSync(join(directory, "tail"), tail);
  writeFileSync(join(directory, "signatures"), lines.join(""));
  console.log(`${PUSHES} distinct pushes of ${Buffer.byteLength(head + mark + tail)} bytes`);
}

async function startBare(): Promise<Contestant> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "bare.ts")], {
    env: { ...process.env, SECRET },
    stdout: "pipe",
  });
  const { value } = await child.stdout.getReader().read();
  const url = new URL(Buffer.from(value ?? []).toString());
  return { name: "bare Bun.serve loop, keeps nothing", url, path: "/", end: () => endChild(child) };
}

async function startHooklatch(
  name: string,
  targets: number,
  prepare?: (dataDir: string) => Promise<void>,
): Promise<Contestant> {
  const home = join(workshop.path, `home-${targets}-${Boolean(prepare)}`);
  mkdirSync(join(home, "data"), { recursive: true });
  await prepare?.(join(home, "data"));
  const target = (at: number) =>
    `[[target]]\nname = "t${at}"\nsource = "github"\nrepository = "octocat/r${at}"\nbranch = "main"\ndirectory = "site-${at}"\n`;
  const config = join(home, "hooklatch.toml");
  writeFileSync(
    config,
    `data_dir = "data"\n[server]\nport = 0\ncatch_up_every = "off"\n[admin]\nport = 0\n[[source]]\nname = "github"\nprovider = "github"\npath = "/github-webhook"\nsecrets = ["env:SECRET"]\nprint = false\n${Array.from({ length: targets }, (_, at) => target(at)).join("")}`,
  );
  const server: Server = await workshop.serve(["--config", config], { SECRET });
  return { name, url: server.url, path: "/github-webhook", end: () => server.end("SIGTERM") };
}

/** adnanh/webhook verifies and parses each push, but runs nothing because its rule does not match: its best case. */
async function startWebhook(): Promise<Contestant | null> {
  if (Bun.which("webhook") === null) return null;
  const hooks = join(directory, "hooks.json");
  const signature = { source: "header", name: "X-Hub-Signature-256" };
  const hmac = { match: { type: "payload-hmac-sha256", secret: SECRET, parameter: signature } };
  const never = {
    match: { type: "value", value: "refs/heads/none", parameter: { source: "payload", name: "ref" } },
  };
  const rule = { and: [hmac, never] };
  writeFileSync(
    hooks,
    JSON.stringify([{ id: "push", "execute-command": "/bin/true", "trigger-rule": rule }]),
  );
  const port = freePort();
  const child = Bun.spawn(["webhook", "-hooks", hooks, "-ip", "127.0.0.1", "-port", String(port)], {
    stdout: "ignore",
    stderr: "ignore",
  });
  const url = new URL(`http://127.0.0.1:${port}`);
  while (!(await fetch(url).catch(() => null))) await Bun.sleep(20);
  return { name: "adnanh/webhook, keeps nothing", url, path: "/hooks/push", end: () => endChild(child) };
}

async function endChild(child: Bun.Subprocess): Promise<void> {
  child.kill();
  await child.exited;
}

/** Requests per second, measured by wrk. */
async function load(contestant: Contestant, wrong: boolean): Promise<number> {
  const script = join(import.meta.dir, "load.lua");
  const args = [
    "-t2",
    `-c${CONNECTIONS}`,
    `-d${SECONDS}s`,
    "-s",
    script,
    contestant.url.href,
    "--",
    directory,
  ];
  const wrk = Bun.spawn(["wrk", ...args, wrong ? "wrong" : "right", contestant.path, String(sent)], {
    stdout: "pipe",
  });
  const report = await new Response(wrk.stdout).text();
  const rate = Number(/Requests\/sec: +([\d.]+)/.exec(report)?.[1]);
  const failed = Number(/Non-2xx or 3xx responses: (\d+)/.exec(report)?.[1] ?? 0);
  const all = Number(/(\d+) requests in/.exec(report)?.[1]);
  if (Number.isNaN(rate) || /Socket errors/.test(report)) throw new Error(`wrk: ${report}`);
  if (!wrong && failed > 0) throw new Error(`${failed} of ${all} pushes were refused by ${contestant.name}`);
  if (!wrong) sent = (sent + all) % PUSHES;
  return rate;
}

/** Alternates between the contestants, so that other load affects all equally. Prints medians and ratios. */
async function compare(title: string, contestants: readonly Contestant[], wrong: boolean): Promise<void> {
  const rates = new Map(contestants.map(({ name }) => [name, [] as number[]]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const contestant of contestants) rates.get(contestant.name)?.push(await load(contestant, wrong));
  }
  console.log(`\n${title}, ${CONNECTIONS} connections, median of ${ROUNDS} rounds of ${SECONDS} s`);
  const median = (name: string) => rates.get(name)?.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0;
  const [first] = contestants;
  for (const { name } of contestants) {
    const ratio = median(name) / median(first?.name ?? "");
    console.log(`${median(name).toFixed(0).padStart(8)} /s  ${ratio.toFixed(2).padStart(5)}  ${name}`);
  }
  await Promise.all(contestants.map(({ end }) => end()));
}

async function withRivals(hooklatch: Contestant): Promise<Contestant[]> {
  return [await startBare(), hooklatch, await startWebhook()].filter((one) => one !== null);
}

const benches: Record<string, () => Promise<void>> = {
  async accept() {
    const hooklatch = await startHooklatch("hooklatch, kept on disk before the answer", 1);
    await compare("Accepting signed pushes", await withRivals(hooklatch), false);
  },
  async refuse() {
    const hooklatch = await startHooklatch("hooklatch", 1);
    await compare("Refusing wrong signatures", await withRivals(hooklatch), true);
  },
  async history() {
    const empty = await startHooklatch("hooklatch, empty store, 1 target", 1);
    const full = await startHooklatch(
      "hooklatch, 1,000,000 deliveries kept, 1,000 targets",
      1000,
      (dataDir) => fillStore(dataDir, 1_000_000),
    );
    await compare("Accepting signed pushes", [empty, full], false);
  },
};

async function main(name: string): Promise<void> {
  if (name === "deploy") return benchDeploy(workshop);
  if (name === "renew") return benchRenewal(workshop);
  const bench = benches[name];
  if (bench === undefined || Bun.which("wrk") === null) {
    const names = [...Object.keys(benches), "deploy", "renew"].join(" | ");
    console.error(`usage: bun run bench ${names}   (all but deploy and renew need wrk)`);
    process.exitCode = 2;
    return;
  }
  writeLoad();
  await bench();
}

try {
  await main(process.argv[2] ?? "accept");
} finally {
  await workshop.dispose();
  rmSync(directory, { recursive: true, force: true });
}
