import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { version } from "../../package.json";
import type { ApiClient } from "../../src/api/client.ts";
import type { ApiDelivery } from "../../src/api/delivery.ts";
import type { ApiDeployment } from "../../src/api/deployment.ts";
import type { ApiTarget } from "../../src/api/target.ts";
import { Workshop } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";
import { readHistory, restoreHistory, SCHEMAS } from "../support/history.ts";
import { words } from "../support/words.ts";

setDefaultTimeout(120_000);

const TOKEN = "0123456789abcdef0123456789abcdef";

let workshop: Workshop;
beforeEach(() => {
  workshop = new Workshop();
});
afterEach(() => workshop.dispose());

/** Nothing is due: no delivery is too old, and no target but the locked one is configured. */
function configure(): number {
  const adminPort = freePort();
  workshop.write(
    "hooklatch.toml",
    `data_dir = "data"
[server]
port = 0
[admin]
port = ${adminPort}
token = "${TOKEN}"
[store]
keep_deliveries = "3650d"
keep_deployments = "3650d"
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
repository = "octocat/blog"
branch = "main"
clone_url = "${join(workshop.path, "nowhere.git")}"
directory = "${join(workshop.path, "site")}"
`,
  );
  return adminPort;
}

const time = (milliseconds: unknown) =>
  milliseconds === null ? null : new Date(Number(milliseconds)).toISOString();

describe("a server on the data directory of an earlier version", () => {
  test.each(SCHEMAS)("shows the history of schema %d through the API and the commands", async (schema) => {
    const file = restoreHistory(schema, join(workshop.path, "data"));
    using database = new Database(file);
    database.run("UPDATE client SET expires_at = 4102444800000");
    database.close();
    const old = readHistory(file);
    const adminPort = configure();
    const server = await workshop.serve();
    await server.until(() => server.log.some(({ msg }) => msg === "deployment cancelled"));

    /** The items that the API lists, which are those that the command prints. */
    const list = async <Item>(noun: string, path: string): Promise<readonly Item[]> => {
      const response = await fetch(`http://127.0.0.1:${adminPort}/api/${path}`, {
        headers: { authorization: `Bearer ${TOKEN}` },
      });
      const page = (await response.json()) as { readonly items: readonly Item[] };
      const { stdout } = await workshop.run([noun, "list", "--json"]);
      expect(JSON.parse(stdout)).toEqual(page);
      return page.items;
    };

    const deliveries = (await list<ApiDelivery>("delivery", "deliveries")).toReversed();
    expect(deliveries).toMatchObject(
      old.deliveries.map(({ sha256: _, received_at, headers, ...same }) => ({
        ...same,
        received_at: time(received_at),
        headers: JSON.parse(String(headers)),
        deployments: old.deployments.filter(({ delivery }) => delivery === same.id).map(({ id }) => id),
      })),
    );

    const deployments = (await list<ApiDeployment>("deployment", "deployments")).toReversed();
    const unfinished = old.deployments.filter(({ state }) => ["queued", "running"].includes(state));
    expect(unfinished.map(({ state }) => state).sort()).toEqual(["queued", "running"]);
    const ended = old.deployments.filter(({ state }) => !["queued", "running"].includes(state));
    const unchanged = deployments.filter(({ id }) => ended.some((each) => each.id === id));
    expect(unchanged).toMatchObject(
      ended.map(({ reason: _, created_at, started_at, ended_at, ...same }) => ({
        ...same,
        ...{ created_at: time(created_at), started_at: time(started_at), ended_at: time(ended_at) },
      })),
    );
    // The target of the others is not configured.
    const others = deployments.filter(({ id }) => !ended.some((each) => each.id === id));
    expect(others.map(({ state, code }) => [state, code])).toEqual([
      ["interrupted", "crash"],
      ["cancelled", "not_configured"],
    ]);
    for (const { id } of ended.slice(0, 3)) {
      const lines = old.output.filter(({ deployment }) => deployment === id).map(({ text }) => `${text}\n`);
      expect(lines).not.toEqual([]);
      expect((await workshop.run(["deployment", "log", String(id)])).stdout).toBe(lines.join(""));
    }

    const clients = await list<ApiClient>("client", "clients");
    expect(clients.map(({ address, source }) => [address, source])).toEqual([["127.0.0.1", "webhook"]]);

    const [blog] = await list<ApiTarget>("target", "targets");
    const live = old.live.find(({ target }) => target === "blog");
    expect(blog?.live).toMatchObject({ commit: live?.commit ?? "", release: live?.release ?? "" });
    expect(blog?.locked?.reason ?? null).toBe(old.locks[0]?.reason ?? null);
    expect(await server.end("SIGTERM")).toBe(0);
  });
});

test("the data directory of a newer version is refused: exit code 1, one line, nothing changed", async () => {
  const file = restoreHistory(8, join(workshop.path, "data"));
  using database = new Database(file);
  database.run("CREATE TABLE upgrade (schema INTEGER PRIMARY KEY, hooklatch TEXT NOT NULL) STRICT");
  database.run("INSERT INTO upgrade VALUES (99, '7.8.9')");
  database.run("PRAGMA user_version = 99");
  database.run("PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
  configure();
  const before = readFileSync(file);
  const { exitCode, stdout, stderr } = await workshop.run(["serve"]);
  expect([exitCode, stdout]).toEqual([1, ""]);
  const lines = stderr.split("\n").filter((line) => line !== "" && !line.startsWith("{"));
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain("hooklatch 7.8.9");
  expect(
    words(lines.join(""), { [file]: "<database>", [`hooklatch ${version}`]: "hooklatch <this>" }),
  ).toMatchSnapshot();
  expect(readFileSync(file).equals(before)).toBe(true);
});
