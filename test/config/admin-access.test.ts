import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { type AdminAccess, loadAdminAccess } from "../../src/config/admin-access.ts";
import { AppError } from "../../src/lib/errors.ts";
import { words } from "../support/words.ts";
import { makeHome } from "./home.ts";

const home = makeHome();

function load(file?: string, env: Record<string, string> = {}): AdminAccess {
  return loadAdminAccess(file, { env, cwd: home.path() }, home.path("system.toml"));
}

/** Returns the fault that loading throws. */
function faultOf(file?: string, env: Record<string, string> = {}): AppError {
  try {
    load(file, env);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error("there was no fault");
}

/** Returns the path of the faulty key in each line, which follows the file and the number of its line. */
function pathsIn({ message }: AppError, file: string): readonly (string | undefined)[] {
  const start = new RegExp(`^${RegExp.escape(file)}:\\d+: ([^:]+): `);
  return message.split("\n").flatMap((line) => start.exec(line)?.[1] ?? []);
}

describe("loadAdmin", () => {
  test("ignores faults in settings that it does not need", () => {
    home.write("data/secrets/admin.token", "a token of the tests, long enough\n");
    const file = home.write(
      "hooklatch.toml",
      `data_dir = "data"
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

  test("uses the defaults and the environment without a configuration file", () => {
    const { host, port, token } = load(undefined, {
      HOOKLATCH_ADMIN_TOKEN: "from the environment",
      PORT: "x",
    });
    expect([host, port, token.reveal()]).toEqual(["127.0.0.1", 9001, "from the environment"]);
  });

  test("accepts the port of the public listener", () => {
    const file = home.write(
      "hooklatch.toml",
      '[server]\nport = 9001\n[admin]\nport = 9001\ntoken = "env:T"\n',
    );
    expect(load(file, { T: "a token of the tests, long enough" }).port).toBe(9001);
  });

  test("reports the environment variable or credential that is not set", () => {
    const file = home.write("hooklatch.toml", '[admin]\ntoken = "env:HOOKLATCH_ADMIN_TOKEN"\n');
    const missing = faultOf(file);
    expect(missing.code).toBe("configuration");
    expect(pathsIn(missing, file)).toEqual(["admin.token"]);
    const credential = home.write("credential.toml", '[admin]\ntoken = "credential:admin-token"\n');
    const absent = faultOf(credential);
    expect(absent.code).toBe("configuration");
    expect(pathsIn(absent, credential)).toEqual(["admin.token"]);
    expect(absent.message).toContain("credential:admin-token");
    // The variable may be set for the server alone: both ways to pass the token to the client are named.
    for (const { message } of [missing, absent]) {
      expect(message).toContain("--admin-url");
      expect(message).toContain("HOOKLATCH_ADMIN_TOKEN");
    }
    expect([words(missing.message), words(absent.message)]).toMatchSnapshot();
  });

  test("reports the directory without an admin token, and how to name another data directory", () => {
    const nowhere = faultOf();
    expect(nowhere.code).toBe("failed");
    expect(nowhere.message).toContain(home.path("hooklatch-data/secrets"));
    for (const hint of ["STATE_DIRECTORY", "data_dir", "--config", "HOOKLATCH_DATA_DIR"]) {
      expect(nowhere.message).toContain(hint);
    }
    const messages = [words(nowhere.message)];
    for (const name of ["HOOKLATCH_DATA_DIR", "STATE_DIRECTORY"]) {
      const { code, message } = faultOf(undefined, { [name]: "data" });
      expect(code).toBe("failed");
      expect(message).toContain(home.path("data/secrets"));
      expect(message).not.toContain("STATE_DIRECTORY");
      messages.push(words(message));
    }
    const named = faultOf(home.write("hooklatch.toml", 'data_dir = "data"\n'));
    expect(named.code).toBe("failed");
    expect(named.message).toContain(home.path("data/secrets"));
    messages.push(words(named.message));
    expect(messages).toMatchSnapshot();
    expect(readdirSync(home.path())).toEqual(["hooklatch.toml"]);
  });

  test("finds the token in the data directory of HOOKLATCH_DATA_DIR or STATE_DIRECTORY", () => {
    home.write("state/secrets/admin.token", "a token of the tests, long enough\n");
    for (const name of ["HOOKLATCH_DATA_DIR", "STATE_DIRECTORY"]) {
      expect(load(undefined, { [name]: home.path("state") }).token.loaded).toBe(true);
    }
  });

  test("reports faults in the settings that it needs and no others", () => {
    const file = home.write("hooklatch.toml", 'data_dir = 5\n[admin]\nprot = 1\n[server]\nport = "x"\n');
    const invalid = faultOf(file);
    expect(invalid.code).toBe("configuration");
    expect(pathsIn(invalid, file)).toEqual(["data_dir", "admin.prot"]);
    expect(invalid.message.split("\n")).toHaveLength(2);
    expect(invalid.message).toContain('"port"');
    const broken = faultOf(home.write("broken.toml", "= 1"));
    const missing = faultOf(home.path("none.toml"));
    expect(broken.message).toStartWith(`${home.path("broken.toml")}:1: `);
    expect(missing.message).toStartWith(`${home.path("none.toml")}: `);
    expect([invalid, broken, missing].map(({ message }) => words(message))).toMatchSnapshot();
  });
});
