import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EXECUTABLE, type Workshop } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";

export const SECRET = "a secret of the bench, long enough";

/** A running server that is measured. */
export interface Contestant {
  readonly name: string;
  readonly url: URL;
  readonly path: string;
  readonly pid: number;
  end(): Promise<unknown>;
}

/** The baseline of every ratio: a loop that checks, parses and stores nothing. */
export async function startBare(): Promise<Contestant> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "bare.ts")], {
    env: { ...process.env, SECRET },
    stdout: "pipe",
  });
  const { value } = await child.stdout.getReader().read();
  const url = new URL(Buffer.from(value ?? []).toString());
  return {
    name: "bare Bun.serve loop, stores nothing",
    url,
    path: "/",
    pid: child.pid,
    end: () => end(child),
  };
}

/** How a hooklatch is started. */
export interface HooklatchOptions {
  readonly targets?: number;
  /** Changes the data directory before the start. */
  readonly prepare?: (dataDirectory: string) => Promise<void>;
  readonly executable?: string;
  readonly adminToken?: string;
}

let started = 0;

export async function startHooklatch(
  workshop: Workshop,
  name: string,
  { targets = 1, prepare, executable = EXECUTABLE, adminToken }: HooklatchOptions = {},
): Promise<Contestant & { readonly adminUrl: URL }> {
  const home = join(workshop.path, `home-${started++}`);
  mkdirSync(join(home, "data"), { recursive: true });
  await prepare?.(join(home, "data"));
  const target = (at: number) =>
    `[[target]]\nname = "t${at}"\nsource = "github"\nrepository = "octocat/r${at}"\nbranch = "main"\ndirectory = "site-${at}"\n`;
  const config = join(home, "hooklatch.toml");
  writeFileSync(
    config,
    `data_dir = "data"\n[server]\nport = 0\ncatch_up_every = "off"\n[admin]\nport = 0\n${adminToken === undefined ? "" : 'token = "env:ADMIN_TOKEN"\n'}[[source]]\nname = "github"\nprovider = "github"\npath = "/github-webhook"\nsecrets = ["env:SECRET"]\nprint = false\n${Array.from({ length: targets }, (_, at) => target(at)).join("")}`,
  );
  const env = { SECRET, ...(adminToken === undefined ? {} : { ADMIN_TOKEN: adminToken }) };
  const server = await workshop.serve(["--config", config], env, { executable });
  const adminUrl = new URL(String(server.log.find(({ admin_url }) => admin_url !== undefined)?.admin_url));
  return {
    name,
    url: server.url,
    adminUrl,
    path: "/github-webhook",
    pid: server.pid,
    end: () => server.end("SIGTERM"),
  };
}

/**
 * adnanh/webhook verifies and parses each push, but runs nothing because its rule does not match: its best case. Null
 * when it is not installed.
 */
export async function startWebhook(directory: string): Promise<Contestant | null> {
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
  return {
    name: "adnanh/webhook, stores nothing",
    url,
    path: "/hooks/push",
    pid: child.pid,
    end: () => end(child),
  };
}

async function end(child: Bun.Subprocess): Promise<void> {
  child.kill();
  await child.exited;
}
