import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHmac } from "node:crypto";
import { appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Server, Workshop } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";
import { until } from "../support/until.ts";
import { words } from "../support/words.ts";

setDefaultTimeout(120_000);

const FIXTURES = join(import.meta.dir, "../fixtures/webhook");

/** Debian's package of adnanh/webhook. */
const WEBHOOK = Bun.which("webhook");
if (WEBHOOK === null) console.warn("webhook is not installed: hooks are not compared with adnanh/webhook");

/** A request to a hook, as test/fixtures/webhook/README.md describes it. */
interface HookRequest {
  readonly what: string;
  readonly body: unknown;
  readonly runs: boolean;
  readonly headers?: Record<string, string>;
  readonly query?: string;
  /** The sender whose signatures it has. */
  readonly sign?: "github" | "gitea" | "gogs" | "plain";
  readonly secret?: string;
}

const REQUESTS: Readonly<Record<string, readonly HookRequest[]>> = JSON.parse(
  readFileSync(join(FIXTURES, "requests.json"), "utf8"),
);

/** Writes its arguments, the variables of the hooks and the attachment to a file that appears when it is complete. */
const RECORD = `#!/bin/sh
{
  for argument in "$@"; do printf '<%s>\\n' "$argument"; done
  for name in ACTION REPO TAG DIGEST HOOK_ref FIXED BODY; do eval "printf '%s=<%s>\\n' $name \\"\\\${$name-unset}\\""; done
  pwd
  if [ -n "\${ATTACHMENT-}" ]; then base64 < "$ATTACHMENT"; fi
} > record.new
mv record.new record
`;

let workshop: Workshop;
let directory: string;
let server: Server;
let origin: string;
let webhook: Bun.Subprocess | null = null;
let report: Awaited<ReturnType<Workshop["run"]>>;
const tokens = new Map<string, string>();

beforeAll(async () => {
  workshop = new Workshop();
  directory = join(workshop.path, "work");
  mkdirSync(directory);
  const record = workshop.write("record.sh", RECORD);
  chmodSync(record, 0o755);
  const files = ["hooks.json", "gitea.yaml"].map((name) =>
    workshop.write(
      name,
      readFileSync(join(FIXTURES, name), "utf8")
        .replaceAll("@RECORD@", record)
        .replaceAll("@DIRECTORY@", directory),
    ),
  );
  report = await workshop.run(["import", ...files, "--output", "hooklatch.toml"]);
  for (const hook of Object.keys(REQUESTS)) {
    const file = join(workshop.path, "secrets", `${hook}.secret`);
    if (existsSync(file)) tokens.set(hook, readFileSync(file, "utf8"));
  }
  appendFileSync(
    join(workshop.path, "hooklatch.toml"),
    `\n[server]\nport = 0\n\n[admin]\nport = ${freePort()}\n`,
  );
  server = await workshop.serve();
  if (WEBHOOK === null) return;
  const port = freePort();
  origin = `http://127.0.0.1:${port}`;
  const options = files.flatMap((file) => ["-hooks", file]);
  webhook = Bun.spawn([WEBHOOK, ...options, "-ip", "127.0.0.1", "-port", String(port), "-verbose"], {
    cwd: workshop.path,
    env: workshop.env(),
    stdout: "ignore",
    stderr: "ignore",
  });
  while (!(await fetch(origin).then(Boolean, () => false))) await Bun.sleep(20);
});

afterAll(async () => {
  webhook?.kill();
  await webhook?.exited;
  await workshop.dispose();
});

function write({ body, headers = {}, sign, secret = `${sign} secret of the tests` }: HookRequest) {
  const json = JSON.stringify(body);
  const hmac = (algorithm: string) => createHmac(algorithm, secret).update(json).digest("hex");
  const signed: Record<string, string> =
    sign === undefined
      ? {}
      : sign === "github"
        ? {
            "x-github-event": "push",
            "x-github-delivery": crypto.randomUUID(),
            "x-hub-signature": `sha1=${hmac("sha1")}`,
            "x-hub-signature-256": `sha256=${hmac("sha256")}`,
          }
        : sign === "plain"
          ? { "x-signature": hmac("sha256") }
          : {
              [`x-${sign}-event`]: "push",
              [`x-${sign}-delivery`]: crypto.randomUUID(),
              [`x-${sign}-signature`]: hmac("sha256"),
            };
  return {
    method: "POST",
    body: json,
    headers: { "content-type": "application/json", ...headers, ...signed },
  };
}

const recordFile = () => join(directory, "record");

function takeRecord(): string | null {
  if (!existsSync(recordFile())) return null;
  const text = readFileSync(recordFile(), "utf8");
  rmSync(recordFile());
  return text;
}

/** Sends a request to hooklatch and returns the code of its response and what the command recorded. */
async function sendToHooklatch(hook: string, request: HookRequest, message: RequestInit) {
  const token = tokens.get(hook);
  // Of these hooks, only those without a proof of their own have a parameter that the import added.
  const added = isOpen(hook) && token !== undefined ? `token=${token}` : "";
  const url = new URL(`/hooks/${hook}?${[request.query ?? "", added].join("&")}`, server.url);
  const response = await fetch(url, message);
  await response.text();
  await untilIdle();
  return { code: response.status, record: takeRecord() };
}

const isOpen = (hook: string) =>
  /^(?:print|bitbucket|bitbucket-elsewhere|slack|file|sendgrid|texts|not|and-not|pattern|environment)$/.test(
    hook,
  );

/** Resolves when no deployment waits or runs. */
async function untilIdle(): Promise<void> {
  for (;;) {
    const { stdout } = await workshop.run(["deployment", "list", "--json"]);
    const items = JSON.parse(stdout).items as readonly { readonly state: string }[];
    if (items.every(({ state }) => state !== "queued" && state !== "running")) return;
    await Bun.sleep(20);
  }
}

/** Sends a request to adnanh/webhook. It answers 200, too, where the rule does not hold. */
async function sendToWebhook(hook: string, request: HookRequest, message: RequestInit) {
  const response = await fetch(`${origin}/hooks/${hook}?${request.query ?? ""}`, message);
  const isAccepted = (await response.text()) !== "Hook rules were not satisfied." && response.status === 200;
  if (isAccepted) await until(() => existsSync(recordFile()));
  return { code: response.status, isAccepted, record: takeRecord() };
}

describe("hooks like the documented ones", () => {
  test("are at least twelve, without those that read forms or XML or sign with SHA-1", () => {
    const documented =
      "print github bitbucket gitlab gogs gitea slack query file sendgrid texts synology registry";
    expect(Object.keys(REQUESTS)).toEqual(expect.arrayContaining(documented.split(" ")));
  });

  test("import, but for those that read forms or sign with SHA-1", async () => {
    expect(report.exitCode).toBe(1);
    expect(words(report.stderr, { [workshop.path]: "<workshop>" })).toMatchSnapshot();
    expect(report.stderr.split("\n").filter((line) => line.startsWith("fail"))).toHaveLength(3);
    const check = await workshop.run(["check"]);
    expect(check.stdout).not.toMatch(/^fail .*(?:source|target)/m);
  });

  test("keep their secrets in files that only the owner reads", () => {
    const configuration = readFileSync(join(workshop.path, "hooklatch.toml"), "utf8");
    // A value of the payload is in a condition.
    expect(configuration.match(/\w+ \w+ of the tests/g)).toEqual(["slack token of the tests"]);
    expect(statSync(join(workshop.path, "hooklatch.toml")).mode & 0o777).toBe(0o600);
    for (const hook of ["github", "query", "print"]) {
      expect(statSync(join(workshop.path, "secrets", `${hook}.secret`)).mode & 0o777).toBe(0o600);
    }
  });
});

describe.each(Object.entries(REQUESTS))("the hook %s", (hook, requests) => {
  test.each(requests.map((request) => [request.what, request] as const))("with %s", async (_, request) => {
    const message = write(request);
    const ours = await sendToHooklatch(hook, request, message);
    expect({ runs: ours.record !== null, isFine: ours.code < 300 || !request.runs }).toEqual({
      runs: request.runs,
      isFine: true,
    });
    expect(existsSync(join(directory, "hacked"))).toBe(false);
    if (WEBHOOK === null) return;
    const theirs = await sendToWebhook(hook, request, message);
    expect(ours.record).toEqual(theirs.record);
    expect(theirs.isAccepted).toBe(request.runs);
    // It answers 200, too, where a rule does not hold.
    if (theirs.code >= 400) expect(ours.code).toBeGreaterThanOrEqual(400);
  });
});
