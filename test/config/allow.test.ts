import { describe, expect, test } from "bun:test";
import { isWithin } from "../../src/domain/address.ts";
import { configOf, linesOf, makeHome } from "./home.ts";

const home = makeHome();

describe("allow", () => {
  test("is null where it is not written, so that everybody may try", () => {
    expect(configOf(home.load()).sources.map(({ allow }) => allow)).toEqual([null, null]);
  });

  test("names addresses, ranges and published lists on a source of any provider", () => {
    home.write(
      "hooklatch.toml",
      `[[source]]
      name = "any"
      provider = "generic"
      path = "/any"
      allow = ["192.0.2.0/24", "2001:DB8::/32", "::ffff:198.51.100.7", "github", "github"]`,
    );
    const allow = configOf(home.load()).sources[0]?.allow;
    expect(allow?.published).toEqual(["github"]);
    const within = ["192.0.2.255", "2001:db8:1::1", "198.51.100.7"];
    const without = ["192.0.3.0", "2001:db9::1", "198.51.100.8"];
    expect(within.map((address) => isWithin(address, allow?.ranges ?? []))).toEqual([true, true, true]);
    expect(without.map((address) => isWithin(address, allow?.ranges ?? []))).toEqual([false, false, false]);
  });
});

describe("github_ranges_url", () => {
  test("is GitHub's own, or one over https, or one on this machine", () => {
    for (const url of ["https://ghe.example.com/api/v3/meta", "http://127.0.0.1:8080/meta"]) {
      home.write("hooklatch.toml", `[server]\ngithub_ranges_url = "${url}"`);
      expect(configOf(home.load()).server.githubRangesUrl).toBe(url);
    }
  });
});

describe("a unix socket as host", () => {
  test("is a path that starts where the file is, without a port, and may be trusted", () => {
    home.write("etc/hooklatch.toml", '[server]\nhost = "unix:run/hook.sock"\ntrusted_proxies = ["unix"]');
    const { server } = configOf(home.load({ file: "etc/hooklatch.toml", env: { PORT: "many" } }));
    expect(server).toMatchObject({
      host: `unix:${home.path("etc/run/hook.sock")}`,
      port: 0,
      trustedProxies: ["unix"],
    });
  });

  test("may be named by the environment, and starts where the server does then", () => {
    expect(configOf(home.load({ env: { HOST: "unix:/run/hook.sock" } })).server.host).toBe(
      "unix:/run/hook.sock",
    );
    expect(configOf(home.load({ env: { HOST: "unix:hook.sock" } })).server.host).toBe(
      `unix:${home.path("hook.sock")}`,
    );
  });

  test("is warned of where it is not trusted, as nobody's address would be known", () => {
    const env = { HOST: "unix:/run/hook.sock" };
    expect(linesOf(home.load({ env }))).toEqual([
      expect.stringContaining('defaults: server.trusted_proxies: lacks "unix"'),
    ]);
    home.write("hooklatch.toml", '[server]\ntrusted_proxies = ["unix"]');
    expect(linesOf(home.load({ env }))).toEqual([]);
  });

  test("is a fault without a path, with one that is too long, and for the admin listener", () => {
    const long = `/${"x".repeat(103)}`;
    expect(linesOf(home.load({ env: { HOST: "unix:" } }))).toEqual([
      'environment: $HOST: expected the path of a socket, such as "unix:/run/hooklatch.sock", found "unix:"',
    ]);
    expect(linesOf(home.load({ env: { HOST: `unix:${long}` } }))).toEqual([
      expect.stringContaining("$HOST: expected a path of at most 103 bytes"),
    ]);
    home.write("hooklatch.toml", '[admin]\nhost = "unix:/run/admin.sock"');
    expect(linesOf(home.load())).toEqual([
      'hooklatch.toml: admin.host: expected an address such as "127.0.0.1" or "::1", without a port, found "unix:/run/admin.sock"',
    ]);
  });
});
