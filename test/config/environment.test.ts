import { describe, expect, test } from "bun:test";
import { configOf, linesOf, makeHome } from "./home.ts";
import { openedDialect } from "./lists.ts";

const home = makeHome();

describe("the environment", () => {
  test("tells where to listen when the file does not", () => {
    const env = { HOST: "::1", PORT: "0" };
    expect(configOf(home.load({ env })).server).toMatchObject({ host: "::1", port: 0 });
    home.write("hooklatch.toml", '[server]\nhost = "127.0.0.2"\nport = 9002');
    expect(configOf(home.load({ env })).server).toMatchObject({ host: "127.0.0.2", port: 9002 });
  });

  test("is not looked at where the file has the say, however wrong it is", () => {
    home.write(
      "hooklatch.toml",
      'data_dir = "data"\n[server]\nhost = "127.0.0.2"\nport = 9002\ntls = { cert = "c", key = "k" }',
    );
    const env = { HOST: "", PORT: "many", TLS_CERT: "alone", HOOKLATCH_DATA_DIR: "" };
    expect(configOf(home.load({ env })).server).toMatchObject({ host: "127.0.0.2", port: 9002 });
  });

  test("has faults for hosts and ports that are none", () => {
    expect(linesOf(home.load({ env: { HOST: "127.0.0.1:80", PORT: "65536" } }))).toEqual([
      'environment: $HOST: expected an address such as "127.0.0.1" or "::1", without a port, found "127.0.0.1:80"',
      'environment: $PORT: expected a port number from 0 to 65535, found "65536"',
    ]);
    expect(linesOf(home.load({ env: { HOST: "", PORT: "-1" } }))).toEqual([
      "environment: $HOST: is set but empty: give it a value or unset it",
      'environment: $PORT: expected a port number from 0 to 65535, found "-1"',
    ]);
  });

  test("brings a certificate, with which every address is listened on", () => {
    const env = { TLS_CERT: "cert.pem", TLS_KEY: "/keys/key.pem" };
    expect(configOf(home.load({ env })).server).toMatchObject({
      host: "0.0.0.0",
      tls: { cert: home.path("cert.pem"), key: "/keys/key.pem" },
    });
  });

  test("has a fault when it brings half a certificate, and no plain HTTP is served instead", () => {
    expect(linesOf(home.load({ env: { TLS_CERT: "cert.pem" } }))).toEqual([
      "environment: $TLS_CERT: needs $TLS_KEY beside it",
    ]);
    expect(linesOf(home.load({ env: { TLS_CERT: "", TLS_KEY: "key.pem" } }))).toEqual([
      "environment: $TLS_CERT: is set but empty: give it a value or unset it",
      "environment: $TLS_KEY: needs $TLS_CERT beside it",
    ]);
  });

  test("names the data directory, and systemd's first state directory is the next choice", () => {
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
  function lifetimeWith(hours: string): number | undefined {
    const { sources } = configOf(home.load({ env: { CLIENT_AUTH_TIMEOUT: hours } }));
    return openedDialect(sources[1]).lifetime;
  }

  test("is in hours, with decimals", () => {
    expect(lifetimeWith("24")).toBe(86_400_000);
    expect(lifetimeWith("0.5")).toBe(1_800_000);
    expect(lifetimeWith("0.001")).toBe(3_600);
    expect(lifetimeWith("8760")).toBe(31_536_000_000);
    expect(lifetimeWith("277778")).toBe(1_000_000_800_000);
    expect(lifetimeWith("876000")).toBe(36_500 * 86_400_000);
  });

  test("is a fault when it is more than a duration may be", () => {
    expect(linesOf(home.load({ env: { CLIENT_AUTH_TIMEOUT: "876000.1" } }))).toEqual([
      "environment: $CLIENT_AUTH_TIMEOUT: expected a duration of at most 36500d, found 36501d",
    ]);
    expect(linesOf(home.load({ env: { CLIENT_AUTH_TIMEOUT: "999999" } }))).toEqual([
      "environment: $CLIENT_AUTH_TIMEOUT: expected a duration of at most 36500d, found 41667d",
    ]);
  });

  test("gives way to client_timeout", () => {
    home.write(
      "hooklatch.toml",
      '[[source]]\nname = "a"\nprovider = "generic"\npath = "/a"\nclient_timeout = "1h"',
    );
    const { sources } = configOf(home.load({ env: { CLIENT_AUTH_TIMEOUT: "never" } }));
    expect(openedDialect(sources[0]).lifetime).toBe(3_600_000);
  });

  test.each(["0", "-1", "1h", "1e3", "NaN", "Infinity", " 1", "0.00000001"])(
    "is a fault when it is %p",
    (hours) => {
      expect(linesOf(home.load({ env: { CLIENT_AUTH_TIMEOUT: hours } }))).toEqual([
        `environment: $CLIENT_AUTH_TIMEOUT: expected a number of hours, such as 24 or 0.5, found "${hours}"`,
      ]);
    },
  );

  test("is told once, though two sources would use it", () => {
    const source = (name: string) =>
      `[[source]]\nname = "${name}"\nprovider = "generic"\npath = "/${name}"\n`;
    home.write("hooklatch.toml", source("a") + source("b"));
    expect(linesOf(home.load({ env: { CLIENT_AUTH_TIMEOUT: "" } }))).toEqual([
      "environment: $CLIENT_AUTH_TIMEOUT: is set but empty: give it a value or unset it",
    ]);
  });
});
