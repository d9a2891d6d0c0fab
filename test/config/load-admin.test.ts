import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { type AdminAccess, loadAdmin } from "../../src/config/load-admin.ts";
import { Fault } from "../../src/domain/fault.ts";
import { makeHome } from "./home.ts";

const home = makeHome();

function load(file?: string, env: Record<string, string> = {}): AdminAccess {
  return loadAdmin(file, { env, cwd: home.path() }, home.path("system.toml"));
}

/** The fault's code and lines. */
function faultOf(file?: string, env: Record<string, string> = {}): readonly string[] {
  try {
    load(file, env);
  } catch (error) {
    if (error instanceof Fault) return [error.code, ...error.message.split("\n")];
    throw error;
  }
  throw new Error("there was no fault");
}

const NOT_HERE =
  "the server's own environment may have the admin token: set it here, too, or pass --admin-url with the token in $HOOKLATCH_ADMIN_TOKEN";

describe("what leads to the admin listener", () => {
  test("is read though other secrets are not to be had here and other keys are wrong", () => {
    home.write("kept/secrets/admin.token", "a token of the tests, long enough\n");
    const file = home.write(
      "hooklatch.toml",
      `data_dir = "kept"
unknown = 1
[server]
port = "many"
tls = { cert = "/none" }
[admin]
host = "::1"
port = 9100
[[source]]
name = "github"
provider = "github"
path = "/github-webhook"
secrets = ["env:NOT_HERE", "credential:not-here"]
[[target]]
nonsense = true
`,
    );
    const { host, port, token } = load(file);
    expect([host, port, token.reveal()]).toEqual(["::1", 9100, "a token of the tests, long enough"]);
  });

  test("is what nothing but the defaults and the environment tell, too", () => {
    const { host, port, token } = load(undefined, {
      HOOKLATCH_ADMIN_TOKEN: "from the environment",
      PORT: "x",
    });
    expect([host, port, token.reveal()]).toEqual(["127.0.0.1", 9001, "from the environment"]);
  });

  test("may have the public listener's port as far as this is concerned", () => {
    const file = home.write(
      "hooklatch.toml",
      '[server]\nport = 9001\n[admin]\nport = 9001\ntoken = "env:T"\n',
    );
    expect(load(file, { T: "a token of the tests, long enough" }).port).toBe(9001);
  });

  test("is a fault that names the variable or the credential that is missing here", () => {
    const file = home.write("hooklatch.toml", '[admin]\ntoken = "env:HOOKLATCH_ADMIN_TOKEN"\n');
    expect(faultOf(file)).toEqual([
      "configuration",
      `${file}: admin.token: the environment variable HOOKLATCH_ADMIN_TOKEN is not set`,
      NOT_HERE,
    ]);
    const credential = home.write("credential.toml", '[admin]\ntoken = "credential:admin-token"\n');
    expect(faultOf(credential)).toEqual([
      "configuration",
      `${credential}: admin.token: credential:admin-token needs $CREDENTIALS_DIRECTORY, which systemd sets for LoadCredential=; by hand: CREDENTIALS_DIRECTORY=/run/credentials/hooklatch.service while the service runs, or the directory where the files lie`,
      NOT_HERE,
    ]);
  });

  test("is a fault that says where the token was looked for, and that a service may have it elsewhere", () => {
    const nowhere = `there is no admin token yet in ${home.path("hooklatch-data/secrets")}: is the server running with this configuration?`;
    expect(faultOf()).toEqual([
      "failed",
      `${nowhere} Nothing here names its data directory: where that is another one ($STATE_DIRECTORY of a service), set data_dir in the configuration and pass --config, or set HOOKLATCH_DATA_DIR`,
    ]);
    const other = `there is no admin token yet in ${home.path("kept/secrets")}: is the server running with this configuration?`;
    for (const name of ["HOOKLATCH_DATA_DIR", "STATE_DIRECTORY"]) {
      expect(faultOf(undefined, { [name]: "kept" })).toEqual(["failed", other]);
    }
    expect(faultOf(home.write("hooklatch.toml", 'data_dir = "kept"\n'))).toEqual(["failed", other]);
    expect(readdirSync(home.path())).toEqual(["hooklatch.toml"]);
  });

  test("is found where HOOKLATCH_DATA_DIR or a service's STATE_DIRECTORY leads to it", () => {
    home.write("state/secrets/admin.token", "a token of the tests, long enough\n");
    for (const name of ["HOOKLATCH_DATA_DIR", "STATE_DIRECTORY"]) {
      expect(load(undefined, { [name]: home.path("state") }).token.loaded).toBe(true);
    }
  });

  test("is a fault where its own keys are wrong, and those alone are told", () => {
    const file = home.write("hooklatch.toml", 'data_dir = 5\n[admin]\nprot = 1\n[server]\nport = "x"\n');
    expect(faultOf(file)).toEqual([
      "configuration",
      `${file}: data_dir: expected a path, found 5`,
      `${file}: admin.prot: unknown key "prot": did you mean "port"?`,
    ]);
    expect(faultOf(home.write("broken.toml", "= 1"))[1]).toContain("not TOML");
    expect(faultOf(home.path("none.toml"))[1]).toEndWith("none.toml: does not exist");
  });
});
