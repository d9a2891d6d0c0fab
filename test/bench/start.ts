import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { EXECUTABLE, type Workshop } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";
import { SECRET } from "./contestants.ts";
import { memoryOf } from "./cpu.ts";
import { median, spread } from "./statistics.ts";

const ROUNDS = 25;

/** Milliseconds after which the memory of an idle server is read. */
const IDLE = 1_000;

const TRIVIAL = `Bun.serve({ hostname: "127.0.0.1", port: Number(process.env.PORT), fetch: () => new Response("ok") });`;

interface Contestant {
  readonly name: string;
  readonly argv: readonly string[];
  readonly times: number[];
  readonly memory: ReturnType<typeof memoryOf>[];
}

/** Measures the time from the start of the process to its first answer, and the memory of the idle server. */
export async function benchStart(workshop: Workshop, against: string | null): Promise<void> {
  const config = workshop.write(
    "start.toml",
    `data_dir = "data"
[server]
host = "127.0.0.1"
[admin]
port = 0
[[source]]
name = "github"
provider = "github"
path = "/github-webhook"
secrets = ["env:SECRET"]
[[target]]
name = "blog"
repository = "octocat/blog"
branch = "main"
clone_url = "/nowhere"
directory = "site"
`,
  );
  const contestant = (name: string, argv: readonly string[]): Contestant => ({
    name,
    argv,
    times: [],
    memory: [],
  });
  const serve = (executable: string) => [executable, "serve", "--config", config];
  const contestants = [
    contestant("a compiled server that only answers", [compileTrivial(workshop)]),
    contestant("hooklatch", serve(EXECUTABLE)),
    ...(against === null ? [] : [contestant(`hooklatch, ${against}`, serve(against))]),
  ];
  // The first start of an executable reads it from the disk.
  for (let round = -1; round < ROUNDS; round++) {
    for (const each of contestants) {
      // Each creates its own: the schema of another version may differ.
      await Bun.$`rm -rf ${join(workshop.path, "data")}`;
      const { milliseconds, memory } = await start(each, workshop, round % 5 === 0);
      if (round >= 0) each.times.push(milliseconds);
      if (memory !== null) each.memory.push(memory);
    }
  }
  console.log(`\nFrom the start to the first answer, with a new data directory, median of ${ROUNDS}\n`);
  for (const { name, times, memory } of contestants) {
    const resident = median(memory.map((each) => each.resident)).toFixed(1);
    const anonymous = median(memory.map((each) => each.anonymous)).toFixed(1);
    console.log(
      `${median(times).toFixed(1).padStart(8)} ms (${spread(times, 1)})  idle: ${resident} MB, ${anonymous} without files    ${name}`,
    );
  }
}

function compileTrivial(workshop: Workshop): string {
  const source = join(workshop.path, "trivial.ts");
  writeFileSync(source, TRIVIAL);
  const executable = join(workshop.path, "trivial");
  const options = ["--compile", "--bytecode", "--format=esm"];
  Bun.spawnSync([process.execPath, "build", ...options, source, "--outfile", executable]);
  return executable;
}

async function start({ argv }: Contestant, workshop: Workshop, measuresMemory: boolean) {
  const port = freePort();
  const env = workshop.env({ SECRET, PORT: String(port) });
  const began = performance.now();
  const child = Bun.spawn([...argv], { cwd: workshop.path, env, stdout: "ignore", stderr: "ignore" });
  const url = `http://127.0.0.1:${port}/healthz`;
  while ((await fetch(url).catch(() => null)) === null) {
    if (child.exitCode !== null) throw new Error(`${argv.join(" ")} exited with ${child.exitCode}`);
    await Bun.sleep(0.5);
  }
  const milliseconds = performance.now() - began;
  if (measuresMemory) await Bun.sleep(IDLE);
  const memory = measuresMemory ? memoryOf(child.pid) : null;
  child.kill();
  await child.exited;
  return { milliseconds, memory };
}
