import { describe, expect, test } from "bun:test";
import { configOf, linesOf, makeHome } from "./home.ts";

const home = makeHome();
const TLS = '[server]\nport = 0\n[server.tls]\ncert = "cert.pem"\nkey = "keys"\n';

describe("the files of TLS", () => {
  test("are faults at their places, beside all others, where they are to be served with", () => {
    home.write("hooklatch.toml", TLS.replace("port = 0", "prot = 1"));
    home.write("keys/key.pem", "");
    expect(linesOf(home.load({ toServe: true }))).toEqual([
      'hooklatch.toml: server.prot: unknown key "prot": did you mean "port"?',
      `hooklatch.toml: server.tls.cert: the certificate file ${home.path("cert.pem")} does not exist`,
      `hooklatch.toml: server.tls.key: the private key file ${home.path("keys")} is not a regular file`,
    ]);
  });

  test("are faults of the environment where that names them", () => {
    const env = { TLS_CERT: "cert.pem", TLS_KEY: "/nowhere/key.pem" };
    expect(linesOf(home.load({ env, toServe: true }))).toEqual([
      `environment: $TLS_CERT: the certificate file ${home.path("cert.pem")} does not exist`,
      "environment: $TLS_KEY: the private key file /nowhere/key.pem does not exist",
    ]);
  });

  test("are no matter for whoever only looks at the configuration", () => {
    home.write("hooklatch.toml", TLS);
    expect(configOf(home.load()).server.tls).toEqual({
      cert: home.path("cert.pem"),
      key: home.path("keys"),
    });
  });
});
