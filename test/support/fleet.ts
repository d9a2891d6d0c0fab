import { join } from "node:path";
import type { ApiDelivery } from "../../src/api/delivery.ts";
import type { ApiDeployment } from "../../src/api/deployment.ts";
import type { ApiHost } from "../../src/api/host.ts";
import type { ApiTargetDetails } from "../../src/api/target.ts";
import { SECRET } from "./configuration.ts";
import { type Server, Workshop } from "./executable.ts";
import { freePort } from "./free-port.ts";
import { Repository } from "./git.ts";
import { deliver } from "./github.ts";
import { pushBody } from "./payloads.ts";

/** The token of every admin listener of a {@link TestFleet}. */
export const ADMIN_TOKEN = "an admin token of the tests, long enough";

const ENVIRONMENT = { SECRET, HOOKLATCH_ADMIN_TOKEN: ADMIN_TOKEN };

/** Several servers over one database, each with its own directory on this machine, and a repository that they deploy. */
export class TestFleet {
  readonly workshop = new Workshop();
  readonly repository = new Repository(join(this.workshop.path, "origin"));
  readonly members = new Map<string, Member>();

  constructor(readonly url: string) {}

  /** Adds a host without starting it. `targets` are the tables of its configuration. */
  add(name: string, targets: string, url = this.url): Member {
    const member = new Member(name, this, targets, url);
    this.members.set(name, member);
    return member;
  }

  /** A `[[target]]` table of the repository, with the same name in each configuration and a directory for each host. */
  describeTarget(host: string, keys = "", name = "blog"): string {
    return `[[target]]
name = "${name}"
repository = "octocat/blog"
branch = "main"
clone_url = ${JSON.stringify(this.repository.path)}
directory = "${host}/${name}"
${keys}
`;
  }

  async dispose(): Promise<void> {
    await this.workshop.dispose();
  }
}

/** A host of a {@link TestFleet}. */
export class Member {
  readonly #adminPort = freePort();
  /** The address of the admin listener, and so of the dashboard. */
  readonly adminUrl = `http://127.0.0.1:${this.#adminPort}/`;
  #server: Server | null = null;

  constructor(
    readonly name: string,
    readonly fleet: TestFleet,
    targets: string,
    readonly url: string,
  ) {
    this.configure(targets);
  }

  get server(): Server {
    if (this.#server === null) throw new Error(`${this.name} was not started`);
    return this.#server;
  }

  get #file(): string {
    return join(this.fleet.workshop.path, this.name, "hooklatch.toml");
  }

  /** Writes the configuration. */
  configure(targets: string): void {
    this.fleet.workshop.write(
      join(this.name, "hooklatch.toml"),
      `data_dir = "data"
[store]
url = ${JSON.stringify(this.url)}
host = "${this.name}"
[server]
port = 0
[admin]
port = ${this.#adminPort}
token = "env:HOOKLATCH_ADMIN_TOKEN"
[[source]]
name = "github"
provider = "github"
path = "/github-webhook"
secrets = ["env:SECRET"]
${targets.replaceAll(`directory = "${this.name}/`, 'directory = "')}`,
    );
  }

  async start(): Promise<this> {
    this.#server = await this.fleet.workshop.serve(["--config", this.#file], ENVIRONMENT);
    return this;
  }

  /** Starts the same server once more, which has to end. */
  serveAgain() {
    return this.fleet.workshop.run(["serve", "--config", this.#file], ENVIRONMENT);
  }

  /** Sends a push of the repository's tip, in the format of GitHub. */
  async push(changes: Record<string, unknown> = {}) {
    const body = pushBody({ after: this.fleet.repository.tip, ...changes });
    const response = await deliver(new URL("/github-webhook", this.server.url), "push", body, {
      secret: SECRET,
    });
    return {
      code: response.status,
      body: (await response.json()) as {
        readonly delivery?: number;
        readonly deployments?: readonly { readonly id: number; readonly target: string }[];
      },
    };
  }

  /** Runs a command against this host's admin listener. */
  run(...args: readonly string[]) {
    return this.fleet.workshop.run([...args, "--config", this.#file], ENVIRONMENT);
  }

  open(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${ADMIN_TOKEN}`);
    return fetch(new URL(path, this.adminUrl), { ...init, headers });
  }

  async get<Body>(path: string): Promise<Body> {
    const response = await this.open(path);
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as Body;
  }

  readDeployment = (id: number) => this.get<ApiDeployment>(`/api/deployments/${id}`);
  readTarget = (name = "blog") => this.get<ApiTargetDetails>(`/api/targets/${name}`);
  listHosts = async () => (await this.get<{ items: readonly ApiHost[] }>("/api/hosts")).items;
  listDeliveries = async () =>
    (await this.get<{ items: readonly ApiDelivery[] }>("/api/deliveries?limit=500")).items;

  /** All deployments, oldest first. */
  async listDeployments(): Promise<readonly ApiDeployment[]> {
    const items: ApiDeployment[] = [];
    for (let before = ""; ; ) {
      const page: { items: readonly ApiDeployment[]; next: number | null } = await this.get(
        `/api/deployments?limit=500${before}`,
      );
      items.push(...page.items);
      if (page.next === null) return items.reverse();
      before = `&before=${page.next}`;
    }
  }

  /** Resolves when the deployment is in one of the states. */
  async untilState(id: number, ...states: readonly string[]): Promise<ApiDeployment> {
    for (;;) {
      const deployment = await this.readDeployment(id);
      if (states.includes(deployment.state)) return deployment;
      await Bun.sleep(50);
    }
  }

  /** Follows the log of a deployment to its end. Returns the event stream. */
  async follow(id: number): Promise<string> {
    const response = await this.open(`/api/deployments/${id}/log`, {
      headers: { accept: "text/event-stream" },
    });
    return response.text();
  }
}
