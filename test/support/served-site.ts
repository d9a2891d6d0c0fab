import { readFileSync, readlinkSync } from "node:fs";
import { basename, join } from "node:path";
import type { ApiDeliveryDetails } from "../../src/api/delivery.ts";
import type { ApiDeployment } from "../../src/api/deployment.ts";
import type { ApiTargetDetails } from "../../src/api/target.ts";
import { describeTarget, SECRET } from "./configuration.ts";
import { type Server, Workshop } from "./executable.ts";
import { freePort } from "./free-port.ts";
import { Repository } from "./git.ts";
import { deliver } from "./github.ts";
import { pushBody } from "./payloads.ts";

/** The token of the admin listener of a {@link ServedSite}. */
export const ADMIN_TOKEN = "an admin token of the tests, long enough";

/** The parts of the configuration that differ between tests. */
export interface SiteSettings {
  /** Further keys of the target `blog`. */
  readonly target?: string;
  /** Further keys of `[server]`. */
  readonly server?: string;
  /** Further tables. */
  readonly more?: string;
  readonly dataDir?: string;
}

/** A response of the admin API. */
export interface ApiAnswer<Body> {
  readonly code: number;
  readonly body: Body;
}

/** A repository, the executable that deploys it as target `blog`, and the operations of users on both. */
export class ServedSite {
  readonly workshop = new Workshop();
  readonly repository = new Repository(join(this.workshop.path, "origin"));
  readonly adminUrl = `http://127.0.0.1:${freePort()}`;
  #server: Server | null = null;

  get server(): Server {
    if (this.#server === null) throw new Error("the server was not started");
    return this.#server;
  }

  /** Writes the configuration. Returns its path. */
  configure({ target = "", server = "", more = "", dataDir = "data" }: SiteSettings = {}): string {
    return this.workshop.write(
      "hooklatch.toml",
      `data_dir = ${JSON.stringify(dataDir)}
[server]
port = 0
${server}
[admin]
port = ${new URL(this.adminUrl).port}
token = "env:HOOKLATCH_ADMIN_TOKEN"
[[source]]
name = "github"
provider = "github"
path = "/github-webhook"
secrets = ["env:SECRET"]
${target === NO_TARGET ? "" : describeTarget("blog", "site", this.repository, target)}
${more}`,
    );
  }

  /** Starts the server with the given configuration, or with the last one written. */
  async start(settings?: SiteSettings): Promise<void> {
    if (settings !== undefined) this.configure(settings);
    this.#server = await this.workshop.serve(["--debug"], ENVIRONMENT);
  }

  async restart(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    await this.server.end(signal);
    await this.start();
  }

  /** Reloads the configuration. Resolves when the server has applied or rejected it. */
  async hangUp(): Promise<void> {
    const before = this.#reloads().length;
    process.kill(this.server.pid, "SIGHUP");
    await this.server.until(() => this.#reloads().length > before);
  }

  /** Sends a push of the repository's tip in the format of GitHub. */
  async push(changes: Record<string, unknown> = {}): Promise<ApiAnswer<PushAnswer>> {
    const body = pushBody({ after: this.repository.tip, ...changes });
    const url = new URL("/github-webhook", this.server.url);
    const response = await deliver(url, "push", body, { secret: SECRET });
    return { code: response.status, body: (await response.json()) as PushAnswer };
  }

  /** Commits files, pushes them, and resolves with the commit when its deployments have ended. */
  async deploy(files: Readonly<Record<string, string | null>>): Promise<string> {
    const commit = this.repository.commit(files);
    const { body } = await this.push();
    for (const { id } of body.deployments ?? []) await this.untilEnded(id);
    return commit;
  }

  /** Sends a request with the valid token to the admin API. */
  async ask<Body>(method: string, path: string, body?: unknown): Promise<ApiAnswer<Body>> {
    const response = await this.open(path, {
      method,
      ...(method === "POST"
        ? { body: JSON.stringify(body ?? {}), headers: { "content-type": "application/json" } }
        : {}),
    });
    return { code: response.status, body: (await response.json()) as Body };
  }

  open(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (!headers.has("authorization")) headers.set("authorization", `Bearer ${ADMIN_TOKEN}`);
    return fetch(new URL(path, this.adminUrl), { redirect: "manual", ...init, headers });
  }

  async readDeployment(id: number): Promise<ApiDeployment> {
    return (await this.ask<ApiDeployment>("GET", `/api/deployments/${id}`)).body;
  }

  /** All deployments, newest first. */
  async listDeployments(): Promise<readonly ApiDeployment[]> {
    return (await this.ask<{ items: ApiDeployment[] }>("GET", "/api/deployments?limit=500")).body.items;
  }

  async readTarget(name = "blog"): Promise<ApiTargetDetails> {
    return (await this.ask<ApiTargetDetails>("GET", `/api/targets/${name}`)).body;
  }

  async readDelivery(id: number): Promise<ApiDeliveryDetails> {
    return (await this.ask<ApiDeliveryDetails>("GET", `/api/deliveries/${id}`)).body;
  }

  /** Resolves when the deployment has ended, in any state. */
  async untilEnded(id: number): Promise<ApiDeployment> {
    const path = `/api/deployments/${id}/log`;
    const stream = await this.open(path, { headers: { accept: "text/event-stream" } });
    if (!(await stream.text()).includes("event: end")) throw new Error(`${path} broke off`);
    return this.readDeployment(id);
  }

  /** Resolves when a running deployment has printed the text as a line. */
  async untilPrinted(id: number, text: string): Promise<void> {
    const leaving = new AbortController();
    const path = `/api/deployments/${id}/log`;
    const headers = { accept: "text/event-stream" };
    const response = await this.open(path, { headers, signal: leaving.signal });
    const decoder = new TextDecoder();
    let heard = "";
    for await (const chunk of response.body ?? []) {
      heard += decoder.decode(chunk, { stream: true });
      if (heard.includes(`data: ${text}\n`)) break;
      if (heard.includes("event: end")) throw new Error(`deployment ${id} ended:\n${heard}`);
    }
    leaving.abort();
  }

  /** Runs a command of the executable while the server runs. */
  run(...args: readonly string[]) {
    return this.workshop.run(args, ENVIRONMENT);
  }

  /** A path below the target's directory. */
  path(...parts: readonly string[]): string {
    return join(this.workshop.path, "site", ...parts);
  }

  /** The name of the live release. */
  get current(): string {
    return basename(readlinkSync(this.path("current")));
  }

  read(...parts: readonly string[]): string {
    return readFileSync(this.path(...parts), "utf8");
  }

  dispose(): Promise<void> {
    return this.workshop.dispose();
  }

  /** The log lines about reloads that succeeded or failed. */
  #reloads() {
    const pattern = /^configuration (?:not )?reloaded/;
    return this.server.log.filter(({ msg }) => pattern.test(String(msg)));
  }
}

/** A value for {@link SiteSettings.target} that configures no target. */
export const NO_TARGET = "no target";

/** The response to a push. */
export interface PushAnswer {
  readonly status: string;
  readonly delivery: number;
  readonly deployments?: readonly { readonly id: number; readonly target: string }[];
  readonly reason?: string;
}

const ENVIRONMENT = { SECRET, HOOKLATCH_ADMIN_TOKEN: ADMIN_TOKEN };
