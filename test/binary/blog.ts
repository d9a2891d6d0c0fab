import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ApiDeployment } from "../../src/api/deployment.ts";
import { describeTarget, SECRET, writeConfiguration } from "../support/configuration.ts";
import { type Server, Workshop } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";
import { Repository } from "../support/git.ts";
import { deliver } from "../support/github.ts";
import { pushBody } from "../support/payloads.ts";

/** Settings that a test can change, as TOML for the configuration file. */
export interface BlogSettings {
  readonly layout?: "releases" | "worktree";
  /** More keys of the target. */
  readonly keys?: string;
  /** More keys of `[server]`. */
  readonly server?: string;
  /** More tables. */
  readonly tables?: string;
  /** URL that the target clones from. Defaults to the path of the repository. */
  readonly cloneUrl?: string;
  /** More environment variables of the server and of the commands. */
  readonly env?: Readonly<Record<string, string>>;
  /** A command that starts the server, which is its last arguments. */
  readonly wrapper?: readonly string[];
}

/** A repository, and a server that deploys its main branch as the target `blog`. */
export class Blog implements AsyncDisposable {
  readonly workshop = new Workshop();
  readonly repository = new Repository(this.at("origin"));
  readonly #adminPort = freePort();
  #settings: BlogSettings = {};
  #server: Server | null = null;

  at(...path: readonly string[]): string {
    return join(this.workshop.path, ...path);
  }

  site(...path: readonly string[]): string {
    return this.at("site", ...path);
  }

  /** Path of a file in the live release or worktree. */
  live(...path: readonly string[]): string {
    return this.#settings.layout === "worktree" ? this.site(...path) : this.site("current", ...path);
  }

  read(name: string): string {
    return readFileSync(this.live(name), "utf8");
  }

  get server(): Server {
    if (this.#server === null) throw new Error("the server was not started");
    return this.#server;
  }

  get url(): URL {
    return new URL("/github-webhook", this.server.url);
  }

  /** Starts the server with these settings. */
  async serve(settings: BlogSettings = {}): Promise<void> {
    this.#settings = settings;
    const { layout = "releases", keys = "", tables = "", cloneUrl = this.repository.path } = settings;
    const target = describeTarget("blog", "site", { path: cloneUrl }, `layout = "${layout}"\n${keys}`);
    writeConfiguration(this.workshop, {
      targets: `${target}\n${tables}`,
      server: settings.server ?? "",
      adminPort: this.#adminPort,
    });
    await this.restart();
  }

  /** Starts the server again with the same settings. */
  async restart(): Promise<void> {
    const { wrapper = [] } = this.#settings;
    this.#server = await this.workshop.serve([], this.#env, { wrapper });
  }

  /** Commits the given files, if any, and pushes. Returns the id of the deployment. */
  async push(files?: Readonly<Record<string, string | null>>): Promise<number> {
    if (files !== undefined) this.repository.commit(files);
    const body = pushBody({ after: this.repository.tip });
    const response = await deliver(this.url, "push", body, { secret: SECRET });
    const answer = (await response.json()) as { deployments?: { id: number }[] };
    const [deployment] = answer.deployments ?? [];
    if (deployment === undefined)
      throw new Error(`the push started no deployment: ${JSON.stringify(answer)}`);
    return deployment.id;
  }

  /** Pushes and waits until the deployment has ended. */
  async deploy(files?: Readonly<Record<string, string | null>>): Promise<ApiDeployment> {
    return this.untilEnded(await this.push(files));
  }

  /** Resolves with the deployment when it has ended. */
  async untilEnded(id: number): Promise<ApiDeployment> {
    await this.server.untilDeployed(id);
    return this.show(id);
  }

  async show(id: number): Promise<ApiDeployment> {
    return JSON.parse((await this.run("deployment", "show", String(id), "--json")).stdout);
  }

  /** The lines of a deployment's log. */
  async output(id: number): Promise<readonly string[]> {
    return (await this.run("deployment", "log", String(id))).stdout.split("\n").slice(0, -1);
  }

  /** Opens a deployment's log as an event stream. */
  openLog(id: number, signal: AbortSignal): Promise<Response> {
    const token = readFileSync(this.at("data", "secrets", "admin.token"), "utf8").trim();
    return fetch(`http://127.0.0.1:${this.#adminPort}/api/deployments/${id}/log`, {
      headers: { authorization: `Bearer ${token}`, accept: "text/event-stream" },
      signal,
    });
  }

  /** Runs a command of the executable while the server is running. */
  run(...args: readonly string[]) {
    return this.workshop.run(args, this.#env);
  }

  /** Sorted names of the release directories, complete or not. Empty for a layout without releases. */
  get releases(): readonly string[] {
    try {
      return readdirSync(this.site("releases")).sort();
    } catch {
      return [];
    }
  }

  /** Ids of the running processes of a deployment, found by the environment variables that the server sets (proc(5)). */
  processesOf(id: number): readonly number[] {
    return this.#processes([`HOOKLATCH_DEPLOYMENT=${id}`]);
  }

  #processes(marks: readonly string[]): readonly number[] {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => {
        const variables = read(`/proc/${pid}/environ`).split("\0");
        return [`HOOKLATCH_DIRECTORY=${this.site()}`, ...marks].every((mark) => variables.includes(mark));
      });
  }

  get #env(): Record<string, string> {
    return { SECRET, ...this.#settings.env };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.workshop.dispose();
    for (const pid of this.#processes([])) process.kill(pid, "SIGKILL");
  }
}

/** Returns an empty string if the file cannot be read: a process may end between listing and reading. */
function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
