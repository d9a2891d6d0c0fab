import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GIT_ENV } from "./git.ts";

const ROOT = join(import.meta.dir, "../..");

const COMPILED = join(ROOT, "dist/hooklatch");

/** The compiled executable that users copy to a server, or what `HOOKLATCH_EXECUTABLE` names in its place. */
export const EXECUTABLE = process.env.HOOKLATCH_EXECUTABLE ?? COMPILED;

/** Builds a missing or stale executable, so that `bun test` never runs against an old one. */
function buildWhenStale(): void {
  const sources = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" });
  const newest = Math.max(...[...sources.map((file) => join("src", file)), "package.json"].map(modifiedAt));
  if (existsSync(COMPILED) && modifiedAt("dist/hooklatch") >= newest) return;
  const build = Bun.spawnSync([process.execPath, "run", "build"], { cwd: ROOT });
  if (build.exitCode !== 0) throw new Error(`the build failed: ${build.stderr.toString()}`);
}

function modifiedAt(file: string): number {
  return statSync(join(ROOT, file)).mtimeMs;
}

if (EXECUTABLE === COMPILED) buildWhenStale();

/** A temporary directory for one test, and the processes that run in it. `dispose` ends them and deletes it. */
export class Workshop {
  readonly path = mkdtempSync(join(tmpdir(), "hooklatch-test-"));
  readonly #servers: Server[] = [];

  /** Writes a file below the directory and returns its path. */
  write(name: string, content: string): string {
    const file = join(this.path, name);
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, content);
    return file;
  }

  /** The environment of all processes in the directory, independent of the user's environment. */
  env(more: Record<string, string> = {}): Record<string, string> {
    return { PATH: process.env.PATH ?? "", HOME: this.path, ...GIT_ENV, ...more };
  }

  /** Runs the executable and resolves when it exits. */
  async run(args: readonly string[], env: Record<string, string> = {}) {
    const child = Bun.spawn([EXECUTABLE, ...args], {
      cwd: this.path,
      env: this.env(env),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stdout, stderr, exitCode] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    return { exitCode, stdout, stderr };
  }

  /** Starts `hooklatch serve` and resolves once it listens. */
  async serve(
    args: readonly string[] = [],
    env: Record<string, string> = {},
    start: StartOptions = {},
  ): Promise<Server> {
    const server = new Server(this.path, ["serve", ...args], this.env(env), start);
    this.#servers.push(server);
    await server.untilListening();
    return server;
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.end("SIGKILL")));
    rmSync(this.path, { recursive: true, force: true });
  }
}

interface StartOptions {
  /** By default the compiled one. */
  readonly executable?: string;
  /** A command that runs the one after it. */
  readonly wrapper?: readonly string[];
}

/** A running `hooklatch serve`. */
export class Server {
  stdout = "";
  stderr = "";
  url = new URL("http://127.0.0.1");
  readonly #child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly #read: Promise<unknown>;
  #waiting: (() => void)[] = [];

  constructor(
    cwd: string,
    args: readonly string[],
    env: Record<string, string>,
    { executable = EXECUTABLE, wrapper = [] }: StartOptions = {},
  ) {
    this.#child = Bun.spawn([...wrapper, executable, ...args], {
      cwd,
      env,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    this.#read = Promise.all([
      this.#collect(this.#child.stdout, (text) => (this.stdout += text)),
      this.#collect(this.#child.stderr, (text) => (this.stderr += text)),
      this.#child.exited,
    ]).finally(() => this.#wake());
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Resolves with the exit code when the server has ended; null after a signal. */
  get exited(): Promise<number | null> {
    return this.#child.exited.then(() => this.#read).then(() => this.#child.exitCode);
  }

  /** The lines of the log as objects. */
  get log(): readonly Record<string, unknown>[] {
    return this.stderr
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line));
  }

  async untilListening(): Promise<void> {
    await this.until(() => this.log.some(({ url }) => typeof url === "string"));
    this.url = new URL(String(this.log.find(({ url }) => typeof url === "string")?.url));
  }

  /** Resolves when `condition` is true for the output so far. Throws with the log when the server exits first. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        throw new Error(`the server ended:\n${this.stderr}`);
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Resolves with the log line about the end of the deployment. */
  async untilDeployed(id: number): Promise<Record<string, unknown>> {
    const ended = () => this.log.find(({ deployment, state }) => deployment === id && state !== undefined);
    await this.until(() => ended() !== undefined);
    return ended() ?? {};
  }

  async end(signal: "SIGTERM" | "SIGINT" | "SIGKILL"): Promise<number | null> {
    this.#child.kill(signal);
    await this.#child.exited;
    await this.#read;
    return this.#child.exitCode;
  }

  async #collect(stream: ReadableStream<Uint8Array>, add: (text: string) => void): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      add(decoder.decode(chunk, { stream: true }));
      this.#wake();
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
