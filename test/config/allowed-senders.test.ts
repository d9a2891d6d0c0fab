import { describe, expect, test } from "bun:test";
import { isWithin } from "../../src/lib/ip-address.ts";
import { configOf, expectFindings, makeHome } from "./home.ts";

const home = makeHome();

describe("allow", () => {
  test("defaults to null, which admits all addresses", () => {
    expect(configOf(home.load()).sources.map(({ allow }) => allow)).toEqual([null, null]);
  });

  test("accepts addresses, ranges and published lists for any provider", () => {
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
  test("may be an HTTPS URL or an HTTP URL on this machine", () => {
    for (const url of ["https://ghe.example.com/api/v3/meta", "http://127.0.0.1:8080/meta"]) {
      home.write("hooklatch.toml", `[server]\ngithub_ranges_url = "${url}"`);
      expect(configOf(home.load()).server.rangesUrls.github).toBe(url);
    }
  });
});

describe("a unix socket as server.host", () => {
  test("is relative to the configuration file, has no port and can be a trusted proxy", () => {
    home.write("etc/hooklatch.toml", '[server]\nhost = "unix:run/hook.sock"\ntrusted_proxies = ["unix"]');
    const { server } = configOf(home.load({ file: "etc/hooklatch.toml", env: { PORT: "many" } }));
    expect(server).toMatchObject({
      host: `unix:${home.path("etc/run/hook.sock")}`,
      port: 0,
      trustedProxies: ["unix"],
    });
  });

  test("is relative to the working directory when it comes from the environment", () => {
    expect(configOf(home.load({ env: { HOST: "unix:/run/hook.sock" } })).server.host).toBe(
      "unix:/run/hook.sock",
    );
    expect(configOf(home.load({ env: { HOST: "unix:hook.sock" } })).server.host).toBe(
      `unix:${home.path("hook.sock")}`,
    );
  });

  // Behind an untrusted socket, no client address is known.
  test("causes a warning when it is not a trusted proxy", () => {
    const env = { HOST: "unix:/run/hook.sock" };
    const loaded = home.load({ env });
    expect(loaded.kind).toBe("loaded");
    expectFindings(loaded, [["defaults: server.trusted_proxies", '"unix"']]);
    home.write("hooklatch.toml", '[server]\ntrusted_proxies = ["unix"]');
    expect(home.load({ env })).toMatchObject({ kind: "loaded", warnings: [] });
  });

  test("is rejected without a path, with a path that is too long, and for the admin listener", () => {
    const long = `/${"x".repeat(103)}`;
    expectFindings(home.load({ env: { HOST: "unix:" } }), [["environment: $HOST", '"unix:"']]);
    expectFindings(home.load({ env: { HOST: `unix:${long}` } }), [["environment: $HOST", "103"]]);
    home.write("hooklatch.toml", '[admin]\nhost = "unix:/run/admin.sock"');
    expectFindings(home.load(), [["hooklatch.toml: admin.host", '"unix:/run/admin.sock"']]);
  });
});
