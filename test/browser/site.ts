import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { type Server, Workshop } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";
import { Repository } from "../support/git.ts";
import { deliver } from "../support/github.ts";
import { pushBody } from "../support/payloads.ts";

/** The secret of the source `github`, and the verify token of the source `webhook`. */
export const SECRET = "a secret of the browser tests";
export const VERIFY_TOKEN = "a verify token of the browser tests";

/** The targets, each with a repository of its own. */
export const TARGETS = ["blog", "shop", "docs", "api"] as const;
export type TargetName = (typeof TARGETS)[number];

/** A server with four targets. Their commands run `npm`, a script whose content each commit decides. */
export class Site implements AsyncDisposable {
  readonly workshop = new Workshop();
  readonly adminPort = freePort();
  readonly #publicPort = freePort();
  readonly #repositories: Readonly<Record<TargetName, Repository>>;
  #server: Server | null = null;

  constructor() {
    const at = (name: TargetName) => new Repository(join(this.workshop.path, "forge", name));
    this.#repositories = { blog: at("blog"), shop: at("shop"), docs: at("docs"), api: at("api") };
    for (const name of TARGETS) this.commit(name, "First version");
    // Stands in for the package manager of a project.
    const npm = this.workshop.write("bin/npm", '#!/bin/sh\nexec sh "./npm-$(echo "$*" | tr " " "-").sh"\n');
    chmodSync(npm, 0o755);
  }

  get server(): Server {
    if (this.#server === null) throw new Error("the server was not started");
    return this.#server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.adminPort}/`;
  }

  get token(): string {
    return readFileSync(join(this.workshop.path, "data/secrets/admin.token"), "utf8").trim();
  }

  /** Starts the server, or starts it again, with further keys of `[server]` and `[admin]`. */
  async start({ server = "", admin = "" } = {}): Promise<void> {
    const targets = TARGETS.map(
      (name) => `[[target]]
name = "${name}"
source = "github"
repository = "octocat/${name}"
branch = "main"
clone_url = ${JSON.stringify(this.#repositories[name].path)}
directory = "site/${name}"
path = [${JSON.stringify(join(this.workshop.path, "bin"))}]
run = ["npm ci", "npm run build"]
`,
    );
    this.workshop.write(
      "hooklatch.toml",
      `data_dir = "data"
[server]
port = ${this.#publicPort}
${server}
[admin]
port = ${this.adminPort}
${admin}
[[source]]
name = "github"
provider = "github"
path = "/github-webhook"
secrets = ["env:SECRET"]
[[source]]
name = "webhook"
provider = "generic"
path = "/webhook"
verify_token = "env:VERIFY_TOKEN"
${targets.join("")}`,
    );
    this.#server = await this.workshop.serve([], { SECRET, VERIFY_TOKEN });
  }

  async stop(): Promise<void> {
    await this.server.end("SIGTERM");
  }

  /** Commits scripts for the commands of a target; by default they print one line. Returns the commit. */
  commit(
    name: TargetName,
    message: string,
    scripts: { readonly ci?: string; readonly build?: string } = {},
  ): string {
    const { ci = "echo added 42 packages", build = "echo built" } = scripts;
    return this.#repositories[name].commit(
      { "index.html": message, "npm-ci.sh": `${ci}\n`, "npm-run-build.sh": `${build}\n` },
      message,
    );
  }

  /** Sends GitHub's push of the newest commit, or a push with other fields. Returns the answer. */
  async push(name: TargetName, changes: Readonly<Record<string, unknown>> = {}) {
    const body = pushBody({ full_name: `octocat/${name}`, after: this.#repositories[name].tip, ...changes });
    return this.deliver("push", body);
  }

  /** Sends a signed delivery. */
  async deliver(event: string, body: string, secret = SECRET) {
    const response = await deliver(new URL("/github-webhook", this.server.url), event, body, { secret });
    return (await response.json()) as { delivery: number; deployments?: readonly { id: number }[] };
  }

  /** Commits, pushes and waits for the end of the deployment. Returns its id. */
  async deploy(
    name: TargetName,
    message: string,
    scripts: Parameters<Site["commit"]>[2] = {},
  ): Promise<number> {
    this.commit(name, message, scripts);
    const { deployments = [] } = await this.push(name);
    const id = deployments[0]?.id ?? 0;
    await this.server.untilDeployed(id);
    return id;
  }

  /** Logs in on the page of the dashboard, which may be reached by another `url`. */
  async logIn(page: Page, address = "", url = this.url): Promise<void> {
    await page.goto(url + address);
    await page.getByLabel("Admin token").fill(this.token);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("navigation", { name: "Pages" }).waitFor();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.workshop.dispose();
  }
}
