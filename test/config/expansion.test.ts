import { describe, expect, test } from "bun:test";
import { homedir } from "node:os";
import { configOf, expectFindings, makeHome } from "./home.ts";

const home = makeHome();
const env = { HOME: "/home/ada", USER: "ada", TOKEN: "correct-horse-battery" };

const TARGET =
  '[[target]]\nname = "blog"\nrepository = "octocat/blog"\nbranch = "main"\ndirectory = "/srv/blog"\n';

describe("a path that only a shell would expand", () => {
  test.each([
    ["~/blog", "/home/ada/blog"],
    ["~", "/home/ada"],
    ["$HOME/blog", "/home/ada/blog"],
    ["/srv/${USER}/blog", "/srv/ada/blog"],
  ])("%s is a fault that names %s", (written, path) => {
    home.write("hooklatch.toml", TARGET.replace("/srv/blog", written));
    expectFindings(home.load({ env }), [["hooklatch.toml: target[0].directory", `write "${path}"`]]);
  });

  test("names the home of the user when the environment does not", () => {
    home.write("hooklatch.toml", 'data_dir = "~/data"\n');
    const loaded = home.load();
    expect(loaded).toMatchObject({ kind: "invalid", faults: [{ path: "data_dir" }] });
    expect(JSON.stringify(loaded)).toContain(`write \\"${homedir()}/data\\"`);
  });

  test("is a fault without a path when the value is unknown or could be a secret", () => {
    home.write("hooklatch.toml", TARGET.replace("/srv/blog", "/srv/$TOKEN"));
    const loaded = home.load({ env });
    expectFindings(loaded, [["hooklatch.toml: target[0].directory", "absolute path"]]);
    expect(JSON.stringify(loaded)).not.toContain(env.TOKEN);
    home.write("hooklatch.toml", TARGET.replace("/srv/blog", "~grace/blog"));
    expectFindings(home.load({ env }), [["hooklatch.toml: target[0].directory", "absolute path"]]);
  });

  test("is a fault in every key that holds a path, and in the variables", () => {
    home.write(
      "hooklatch.toml",
      `data_dir = "~/hooklatch"
      [server]
      host = "unix:$HOME/hooklatch.sock"
      tls = { cert = "~/cert.pem", key = "$HOME/key.pem" }
      [admin]
      token = "file:~/token"
      ${TARGET}
      clone_url = "git@example.com:~/blog.git"
      ssh_key = "~/.ssh/id_ed25519"
      known_hosts = "$HOME/.ssh/known_hosts"
      verify_commit = true
      allowed_signers = "~/signers"
      shared = ["~/uploads", "$HOME"]
      path = ["~/bin", "bin", "/opt/node/bin"]
      run = [["~/bin/build", "~/x", "a$b"], ["sh", "-c", "$HOME/x"]]
      [[target]]
      name = "local"
      repository = "octocat/blog"
      branch = "main"
      directory = "/srv/local"
      clone_url = "~/blog.git"
      [[target]]
      name = "variable"
      repository = "octocat/blog"
      branch = "main"
      directory = "/srv/variable"
      clone_url = "https://github.com/$OWNER/blog.git"`,
    );
    expectFindings(home.load({ env }), [
      ["hooklatch.toml: data_dir", "/home/ada/hooklatch"],
      ["hooklatch.toml: server.host", "/home/ada/hooklatch.sock"],
      ["hooklatch.toml: server.tls.cert", "/home/ada/cert.pem"],
      ["hooklatch.toml: server.tls.key", "/home/ada/key.pem"],
      ["hooklatch.toml: admin.token", "/home/ada/token"],
      ["hooklatch.toml: target[0].ssh_key", "/home/ada/.ssh/id_ed25519"],
      ["hooklatch.toml: target[0].known_hosts", "/home/ada/.ssh/known_hosts"],
      ["hooklatch.toml: target[0].allowed_signers", "/home/ada/signers"],
      ["hooklatch.toml: target[0].run[0][0]", "/home/ada/bin/build"],
      ["hooklatch.toml: target[0].path[0]", "/home/ada/bin"],
      ["hooklatch.toml: target[0].path[1]", "absolute"],
      "hooklatch.toml: target[0].shared[0]",
      "hooklatch.toml: target[0].shared[1]",
      ["hooklatch.toml: target[1].clone_url", "/home/ada/blog.git"],
      "hooklatch.toml: target[2].clone_url",
    ]);
  });

  test("is a fault in $HOOKLATCH_DATA_DIR, $TLS_CERT and [server.acme] ca", () => {
    const variables = { ...env, HOOKLATCH_DATA_DIR: "~/data", TLS_CERT: "~/cert.pem", TLS_KEY: "/key.pem" };
    expectFindings(home.load({ env: variables }), [
      ["environment: $HOOKLATCH_DATA_DIR", "/home/ada/data"],
      ["environment: $TLS_CERT", "/home/ada/cert.pem"],
    ]);
    home.write(
      "hooklatch.toml",
      '[server.acme]\nterms_agreed = true\ndomains = ["hooks.example.com"]\nca = "~/ca.pem"\n',
    );
    expectFindings(home.load({ env }), [["hooklatch.toml: server.acme.ca", "/home/ada/ca.pem"]]);
  });

  test("may hold a tilde or a dollar sign elsewhere", () => {
    home.write("hooklatch.toml", TARGET.replace("/srv/blog", "/srv/blog~1/a$/~"));
    expect(configOf(home.load({ env })).targets[0]?.directory).toBe("/srv/blog~1/a$/~");
  });
});

describe("the environment of the commands", () => {
  test("rejects a PATH that is not expanded, and names the key to use", () => {
    for (const path of ["/opt/node/bin:$PATH", "~/bin:/usr/bin"]) {
      home.write("hooklatch.toml", `${TARGET}env = { PATH = "${path}" }`);
      expectFindings(home.load({ env }), [["hooklatch.toml: target[0].env.PATH", '"path"']]);
    }
  });

  test("warns of other values that only a shell would expand, and does not repeat them", () => {
    home.write(
      "hooklatch.toml",
      `${TARGET}env = { CACHE = "~/correct-horse", B = "$HOME/correct-horse", PASSWORD = "pa$$word$x" }
      run = [["build", "$HOME/x", "^a$"]]`,
    );
    const loaded = home.load({ env });
    expectFindings(loaded, [
      "hooklatch.toml: target[0].run[0][1]",
      "hooklatch.toml: target[0].env.CACHE",
      "hooklatch.toml: target[0].env.B",
    ]);
    expect(JSON.stringify(loaded.kind === "loaded" && loaded.warnings)).not.toContain("correct-horse");
  });

  test("gets the directories of path", () => {
    home.write("hooklatch.toml", `${TARGET}path = ["/opt/node/bin"]`);
    expect(configOf(home.load()).targets[0]?.searchPath).toEqual(["/opt/node/bin"]);
    home.write("hooklatch.toml", `${TARGET}path = ["node/bin", "/a:/b"]`);
    expectFindings(home.load(), ["hooklatch.toml: target[0].path[1]"]);
  });
});
