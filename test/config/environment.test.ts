import { describe, expect, test } from "bun:test";
import { configOf, expectFindings, makeHome } from "./home.ts";
import { optionsOf } from "./lists.ts";

const home = makeHome();

describe("the environment", () => {
  test("sets the address and port that the file does not set", () => {
    const env = { HOST: "::1", PORT: "0" };
    expect(configOf(home.load({ env })).server).toMatchObject({ host: "::1", port: 0 });
    home.write("hooklatch.toml", '[server]\nhost = "127.0.0.2"\nport = 9002');
    expect(configOf(home.load({ env })).server).toMatchObject({ host: "127.0.0.2", port: 9002 });
  });

  test("is not validated for settings that the file sets", () => {
    home.write(
      "hooklatch.toml",
      'data_dir = "data"\n[server]\nhost = "127.0.0.2"\nport = 9002\ntls = { cert = "c", key = "k" }',
    );
    const env = { HOST: "", PORT: "many", TLS_CERT: "alone", HOOKLATCH_DATA_DIR: "" };
    expect(configOf(home.load({ env })).server).toMatchObject({ host: "127.0.0.2", port: 9002 });
  });

  test("is rejected when $HOST or $PORT is invalid", () => {
    expectFindings(home.load({ env: { HOST: "127.0.0.1:80", PORT: "65536" } }), [
      ["environment: $HOST", '"127.0.0.1:80"'],
      ["environment: $PORT", "65535", '"65536"'],
    ]);
    expectFindings(home.load({ env: { HOST: "", PORT: "-1" } }), [
      "environment: $HOST",
      ["environment: $PORT", '"-1"'],
    ]);
  });

  test("sets the certificate, and the server then listens on all addresses", () => {
    const env = { TLS_CERT: "cert.pem", TLS_KEY: "/keys/key.pem" };
    expect(configOf(home.load({ env })).server).toMatchObject({
      host: "0.0.0.0",
      tls: { cert: home.path("cert.pem"), key: "/keys/key.pem" },
    });
  });

  // A fallback to plain HTTP would expose what the operator meant to encrypt.
  test("is rejected when only one of $TLS_CERT and $TLS_KEY is set", () => {
    expectFindings(home.load({ env: { TLS_CERT: "cert.pem" } }), [["environment: $TLS_CERT", "$TLS_KEY"]]);
    expectFindings(home.load({ env: { TLS_CERT: "", TLS_KEY: "key.pem" } }), [
      "environment: $TLS_CERT",
      ["environment: $TLS_KEY", "$TLS_CERT"],
    ]);
  });

  test("sets the data directory from $HOOKLATCH_DATA_DIR, else from the first path of $STATE_DIRECTORY", () => {
    const STATE_DIRECTORY = "/var/lib/hooklatch:/var/lib/other";
    expect(configOf(home.load({ env: { HOOKLATCH_DATA_DIR: "data", STATE_DIRECTORY } })).dataDir).toBe(
      home.path("data"),
    );
    expect(configOf(home.load({ env: { STATE_DIRECTORY } })).dataDir).toBe("/var/lib/hooklatch");
    home.write("hooklatch.toml", 'data_dir = "/srv/data"');
    expect(configOf(home.load({ env: { STATE_DIRECTORY } })).dataDir).toBe("/srv/data");
  });
});

describe("$CLIENT_AUTH_TIMEOUT", () => {
  function lifetimeWith(hours: string): unknown {
    const { sources } = configOf(home.load({ env: { CLIENT_AUTH_TIMEOUT: hours } }));
    return optionsOf(sources[1]).lifetime;
  }

  test("is a decimal number of hours", () => {
    expect(lifetimeWith("24")).toBe(86_400_000);
    expect(lifetimeWith("0.5")).toBe(1_800_000);
    expect(lifetimeWith("0.001")).toBe(3_600);
    expect(lifetimeWith("8760")).toBe(31_536_000_000);
    expect(lifetimeWith("277778")).toBe(1_000_000_800_000);
    expect(lifetimeWith("876000")).toBe(36_500 * 86_400_000);
  });

  test("is rejected above the maximum duration", () => {
    expectFindings(home.load({ env: { CLIENT_AUTH_TIMEOUT: "876000.1" } }), [
      ["environment: $CLIENT_AUTH_TIMEOUT", "876000", '"876000.1"'],
    ]);
    expectFindings(home.load({ env: { CLIENT_AUTH_TIMEOUT: "999999" } }), [
      ["environment: $CLIENT_AUTH_TIMEOUT", "876000", '"999999"'],
    ]);
  });

  test("is ignored when client_timeout is set", () => {
    home.write(
      "hooklatch.toml",
      '[[source]]\nname = "a"\nprovider = "generic"\npath = "/a"\nclient_timeout = "1h"',
    );
    const { sources } = configOf(home.load({ env: { CLIENT_AUTH_TIMEOUT: "never" } }));
    expect(optionsOf(sources[0]).lifetime).toBe(3_600_000);
  });

  test.each(["0", "-1", "1h", "1e3", "NaN", "Infinity", " 1", "0.00000001"])(
    "is rejected when it is %p",
    (hours) => {
      expectFindings(home.load({ env: { CLIENT_AUTH_TIMEOUT: hours } }), [
        ["environment: $CLIENT_AUTH_TIMEOUT", `"${hours}"`],
      ]);
    },
  );

  test("causes one fault when several sources use it", () => {
    const source = (name: string) =>
      `[[source]]\nname = "${name}"\nprovider = "generic"\npath = "/${name}"\n`;
    home.write("hooklatch.toml", source("a") + source("b"));
    expectFindings(home.load({ env: { CLIENT_AUTH_TIMEOUT: "" } }), ["environment: $CLIENT_AUTH_TIMEOUT"]);
  });
});
