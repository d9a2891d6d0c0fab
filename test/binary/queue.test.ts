import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Server, Workshop } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";

setDefaultTimeout(60_000);

let workshop: Workshop;

beforeEach(() => {
  workshop = new Workshop();
});

afterEach(() => workshop.dispose());

const env = { TOKEN: "0123456789abcdef0123456789abcdef" };

function configure(queue = ""): void {
  mkdirSync(join(workshop.path, "work"), { recursive: true });
  workshop.write(
    "hooklatch.toml",
    `data_dir = "data"
[server]
port = 0
[admin]
port = ${freePort()}
[[source]]
name = "any"
provider = "generic"
path = "/any"
bearer = ["env:TOKEN"]
[[target]]
name = "log"
directory = "work"
${queue}
run = ["until test -e go; do sleep 0.05; done; cat $HOOKLATCH_PAYLOAD_FILE >> seen"]
`,
  );
}

async function post(server: Server, n: number): Promise<number> {
  const headers = { authorization: `Bearer ${env.TOKEN}`, "content-type": "application/json" };
  const response = await fetch(new URL("/any", server.url), { method: "POST", headers, body: `[${n}]` });
  return response.status;
}

/** Makes the commands go on, which wait for it. */
const go = () => workshop.write("work/go", "");

const seen = () => readFileSync(join(workshop.path, "work/seen"), "utf8");
const ended = (server: Server) => server.log.filter(({ deployment, state }) => deployment && state).length;

test("a target without a repository runs for every delivery, in order", async () => {
  configure();
  const server = await workshop.serve([], env);
  for (const n of [1, 2, 3, 4, 5]) expect(await post(server, n)).toBe(202);
  go();
  await server.until(() => ended(server) === 5);
  expect(seen()).toBe("[1][2][3][4][5]");
});

test("its deliveries wait while it is locked, and all run once it is unlocked", async () => {
  configure();
  const server = await workshop.serve([], env);
  expect((await workshop.run(["target", "lock", "log", "--reason", "freeze"], env)).exitCode).toBe(0);
  go();
  for (const n of [1, 2, 3]) expect(await post(server, n)).toBe(202);
  await Bun.sleep(500);
  expect(existsSync(join(workshop.path, "work/seen"))).toBe(false);
  expect((await workshop.run(["target", "unlock", "log"], env)).exitCode).toBe(0);
  await server.until(() => ended(server) === 3);
  expect(seen()).toBe("[1][2][3]");
});

test('queue = "latest" keeps the newest one', async () => {
  configure('queue = "latest"');
  const server = await workshop.serve([], env);
  expect(await post(server, 1)).toBe(202);
  await server.until(() => server.log.some(({ deployment, trigger }) => deployment === 1 && trigger));
  for (const n of [2, 3, 4, 5]) expect(await post(server, n)).toBe(202);
  go();
  await server.untilDeployed(5);
  expect(seen()).toBe("[1][5]");
});
