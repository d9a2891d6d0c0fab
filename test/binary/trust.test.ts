import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Workshop } from "../support/executable.ts";

setDefaultTimeout(60_000);

let workshop: Workshop;
let requests: string[];
let listener: ReturnType<typeof Bun.serve>;

beforeEach(() => {
  workshop = new Workshop();
  requests = [];
  listener = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      requests.push(`${request.url} ${request.headers.get("authorization")}`);
      return Response.json({ items: [], next: null });
    },
  });
});

afterEach(async () => {
  await listener.stop(true);
  await workshop.dispose();
});

describe("a hooklatch.toml in the working directory that others may write", () => {
  test.each(["check", "serve", "send ping", "target list"])("is not used by: hooklatch %s", async (line) => {
    workshop.write("token", "a file of the user, to be stolen");
    const file = workshop.write(
      "hooklatch.toml",
      `data_dir = "data"
[admin]
port = ${listener.port}
token = "file:token"
[[source]]
name = "github"
provider = "github"
path = "/github-webhook"
[[target]]
name = "blog"
repository = "octocat/blog"
branch = "main"
directory = "blog"
clone_url = "git@localhost:octocat/blog.git"
env = { GIT_SSH_COMMAND = "touch ${join(workshop.path, "stolen")}" }
`,
    );
    chmodSync(file, 0o666);
    const { exitCode, stdout, stderr } = await workshop.run(line.split(" "));
    expect({ exitCode, stdout, requests }).toEqual({ exitCode: 2, stdout: "", requests: [] });
    expect(stderr).toStartWith("hooklatch: hooklatch.toml: ");
    expect(stderr).toContain("--config");
    expect(existsSync(join(workshop.path, "stolen"))).toBe(false);
    expect(readdirSync(workshop.path).sort()).toEqual(["hooklatch.toml", "token"]);
  });
});

describe("a hooklatch-data in the working directory that others may write", () => {
  test.each(["serve", "check", "target list"])(
    "is not used without a configuration by: hooklatch %s",
    async (line) => {
      const token = workshop.write(
        "hooklatch-data/secrets/admin.token",
        "a token that another user knows, long enough",
      );
      chmodSync(join(workshop.path, "hooklatch-data"), 0o777);
      const { exitCode, stdout, stderr } = await workshop.run(line.split(" "), { PORT: "0" });
      expect({ exitCode, stdout, requests }).toEqual({ exitCode: 2, stdout: "", requests: [] });
      expect(stderr).toContain(join(workshop.path, "hooklatch-data"));
      expect(stderr).toContain("HOOKLATCH_DATA_DIR");
      expect(existsSync(token)).toBe(true);
      expect(readdirSync(join(workshop.path, "hooklatch-data"))).toEqual(["secrets"]);
    },
  );

  test("is used when $HOOKLATCH_DATA_DIR names it", async () => {
    mkdirSync(join(workshop.path, "hooklatch-data"));
    chmodSync(join(workshop.path, "hooklatch-data"), 0o777);
    const server = await workshop.serve([], { PORT: "0", HOOKLATCH_DATA_DIR: "hooklatch-data" });
    expect(await server.end("SIGTERM")).toBe(0);
  });
});

describe("the token of a configuration that is only found", () => {
  const configuration = () => `[admin]
host = "hooks.invalid"
port = ${listener.port}
token = "env:ADMIN_TOKEN"
[server]
host = "hooks.invalid"
port = 9000
[[source]]
name = "github"
provider = "github"
path = "/github-webhook"
secrets = ["env:ADMIN_TOKEN"]
`;
  const env = { ADMIN_TOKEN: "0123456789abcdef0123456789abcdef" };

  test.each(["target list", "send ping"])("goes to this machine only: hooklatch %s", async (line) => {
    const args = line.split(" ");
    workshop.write("hooklatch.toml", configuration());
    const found = await workshop.run(args, env);
    expect(found).toMatchObject({ exitCode: 2, stdout: "" });
    expect(found.stderr).toContain("hooks.invalid");
    // A named file is trusted: the command fails only because there is no such host.
    const named = await workshop.run([...args, "--config", "hooklatch.toml"], env);
    expect(named).toMatchObject({ exitCode: 1, stdout: "" });
  });
});

describe("the admin token", () => {
  test.each(["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])(
    "never reaches the proxy of $%s",
    async (variable) => {
      const env = {
        HOOKLATCH_ADMIN_TOKEN: "0123456789abcdef0123456789abcdef",
        [variable]: `http://127.0.0.1:${listener.port}`,
      };
      const remote = await workshop.run(["target", "list", "--admin-url", "http://hooks.invalid:9001"], env);
      expect(remote.exitCode).toBe(1);
      expect(requests).toEqual([]);
      // The same listener responds without a proxy, so that the test cannot pass for want of a listener.
      const direct = await workshop.run(["target", "list", "--admin-url", listener.url.href], env);
      expect(direct.exitCode).toBe(0);
      expect(requests).toEqual([
        `${listener.url.href}api/targets?limit=500 Bearer ${env.HOOKLATCH_ADMIN_TOKEN}`,
      ]);
    },
  );
});
