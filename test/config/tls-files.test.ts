import { describe, expect, test } from "bun:test";
import { configOf, expectFindings, makeHome } from "./home.ts";

const home = makeHome();
const TLS = '[server]\nport = 0\n[server.tls]\ncert = "cert.pem"\nkey = "keys"\n';

describe("certificate files", () => {
  test("are checked together with all other settings before serving", () => {
    home.write("hooklatch.toml", TLS.replace("port = 0", "prot = 1"));
    home.write("keys/key.pem", "");
    expectFindings(home.load({ toServe: true }), [
      ["hooklatch.toml: server.prot", '"port"'],
      ["hooklatch.toml: server.tls.cert", home.path("cert.pem")],
      ["hooklatch.toml: server.tls.key", home.path("keys")],
    ]);
  });

  test("that are missing are reported for the environment variables that name them", () => {
    const env = { TLS_CERT: "cert.pem", TLS_KEY: "/nowhere/key.pem" };
    expectFindings(home.load({ env, toServe: true }), [
      ["environment: $TLS_CERT", home.path("cert.pem")],
      ["environment: $TLS_KEY", "/nowhere/key.pem"],
    ]);
  });

  test("are not checked when the configuration is only inspected", () => {
    home.write("hooklatch.toml", TLS);
    expect(configOf(home.load()).server.tls).toEqual({
      cert: home.path("cert.pem"),
      key: home.path("keys"),
    });
  });
});
