import { describe, expect, test } from "bun:test";
import { expectFindings, makeHome } from "./home.ts";

const home = makeHome();
const platform = "win32";

const TARGET = `[[target]]
name = "blog"
source = "github"
repository = "octocat/blog"
branch = "main"
directory = "/srv/blog"
`;
const SOURCE = '[[source]]\nname = "github"\nprovider = "github"\npath = "/github-webhook"\n';

describe("a configuration on Windows", () => {
  test("may receive deliveries, and warns that modes do not protect the secrets", () => {
    home.write("hooklatch.toml", `data_dir = "data"\n${SOURCE}`);
    expectFindings(home.load({ platform }), [["hooklatch.toml: data_dir", "account of the server"]]);
  });

  test("may not deploy, or listen on a unix socket", () => {
    const socket = '[server]\nhost = "unix:hooklatch.sock"\n';
    home.write("hooklatch.toml", `${socket}${SOURCE}${TARGET}`);
    expectFindings(home.load({ platform }), ["hooklatch.toml: target", "hooklatch.toml: server.host"]);
    expect(home.load().kind).toBe("loaded");
    expect(home.load({ platform: "darwin" }).kind).toBe("loaded");
  });
});

test("the path of a unix socket may be shorter on macOS than on Linux", () => {
  const path = `/${"s".repeat(100)}`;
  home.write("hooklatch.toml", `[server]\nhost = "unix:${path}"\n${SOURCE}`);
  expect(home.load({ platform: "linux" }).kind).toBe("loaded");
  expectFindings(home.load({ platform: "darwin" }), [["hooklatch.toml: server.host", "at most 99 bytes"]]);
});
