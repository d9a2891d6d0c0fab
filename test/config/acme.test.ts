import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { makeCertificate } from "../support/certificate.ts";
import { configOf, expectFindings, makeHome } from "./home.ts";

const home = makeHome();

/** Writes a configuration with the required keys of automatic HTTPS and the given additional lines. */
function write(acme = "", server = ""): void {
  home.write(
    "hooklatch.toml",
    `[server]\n${server}\n[server.acme]\ndomains = ["hooks.example.com"]\nterms_agreed = true\n${acme}`,
  );
}

/** Asserts that the configuration is valid and has no warnings. */
function expectNoFindings(): void {
  expect(home.load()).toMatchObject({ kind: "loaded", warnings: [] });
}

describe("automatic HTTPS", () => {
  test("uses Let's Encrypt and listens on all addresses by default", () => {
    write();
    expect(configOf(home.load()).server).toMatchObject({
      host: "0.0.0.0",
      port: 9000,
      tls: null,
      acme: {
        settings: {
          domains: ["hooks.example.com"],
          email: null,
          directory: "https://acme-v02.api.letsencrypt.org/directory",
          ca: null,
          eab: null,
        },
        httpPort: 80,
      },
    });
    expectNoFindings();
  });

  test("reads the key of an account that the CA's site issued, and never prints it", () => {
    const key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    home.write("eab.key", `${key}\n`);
    write('eab = { key_id = "kid-1", hmac_key = "file:eab.key" }');
    const { acme } = configOf(home.load()).server;
    expect(acme?.settings.eab?.keyId).toBe("kid-1");
    expect(acme?.settings.eab?.key.reveal()).toBe(key);
    expect(JSON.stringify(acme)).not.toContain(key);

    home.write("eab.key", "not base64url, but long enough");
    expect(home.load()).toMatchObject({ kind: "invalid" });
    write('eab = { key_id = "kid-1" }');
    expect(home.load()).toMatchObject({ kind: "invalid" });
  });

  test("supports another CA with its root certificate in a file", () => {
    const { cert } = makeCertificate(home.path(), "root");
    home.write(
      "etc/hooklatch.toml",
      `[server]
      host = "127.0.0.1"
      [server.acme]
      domains = ["Hooks.Example.COM", "bücher.example"]
      email = "you+ca@example.com"
      directory = "https://ca.example.com:14000/dir"
      terms_agreed = true
      http_port = 5002
      ca = "../root-cert.pem"`,
    );
    const { server } = configOf(home.load({ file: "etc/hooklatch.toml" }));
    expect(server.host).toBe("127.0.0.1");
    expect(server.acme).toEqual({
      settings: {
        domains: ["hooks.example.com", "xn--bcher-kva.example"],
        email: "you+ca@example.com",
        directory: "https://ca.example.com:14000/dir",
        ca: readFileSync(cert, "utf8"),
        eab: null,
      },
      httpPort: 5002,
    });
  });

  test("allows plain HTTP to a CA on the same machine", () => {
    write('directory = "http://localhost:14000/dir"');
    expect(configOf(home.load()).server.acme?.settings.directory).toBe("http://localhost:14000/dir");
  });

  test("requires domains and agreement to the CA's terms", () => {
    home.write("hooklatch.toml", "[server.acme]");
    expectFindings(home.load(), [
      "hooklatch.toml: server.acme.domains",
      ["hooklatch.toml: server.acme.terms_agreed", "https://letsencrypt.org/repository/"],
    ]);
    home.write("hooklatch.toml", '[server.acme]\ndomains = []\nterms_agreed = "yes"');
    expectFindings(home.load(), [
      "hooklatch.toml: server.acme.domains",
      ["hooklatch.toml: server.acme.terms_agreed", '"yes"'],
    ]);
  });

  test("rejects certificate files in the environment and a unix socket as host", () => {
    write();
    expectFindings(home.load({ env: { TLS_CERT: "cert.pem", TLS_KEY: "key.pem" } }), [
      ["environment: $TLS_CERT", "[server.acme]"],
      ["environment: $TLS_KEY", "[server.acme]"],
    ]);
    write("", 'host = "unix:/run/hook.sock"\ntrusted_proxies = ["unix"]');
    expectFindings(home.load(), ["hooklatch.toml: server.acme"]);
  });

  test("rejects a challenge port that another listener uses", () => {
    write("", "port = 80");
    expectFindings(home.load(), [["hooklatch.toml: server.acme.http_port", "80"]]);
    write("http_port = 5002\n[admin]\nport = 5002");
    expectFindings(home.load(), [["hooklatch.toml: server.acme.http_port", "admin", "5002"]]);
    write("http_port = 5002\n[admin]\nport = 5002", 'host = "192.0.2.1"');
    expectNoFindings();
  });

  test("warns when the host of public_url is not one of the domains", () => {
    write("", 'public_url = "https://Hooks.example.com:9000/"');
    expectNoFindings();
    write("", 'public_url = "https://www.example.com"');
    const loaded = home.load();
    expect(loaded.kind).toBe("loaded");
    expectFindings(loaded, [["hooklatch.toml: server.public_url", '"www.example.com"']]);
  });

  test("rejects a missing or damaged root certificate", () => {
    write('ca = "root.pem"');
    expectFindings(home.load(), [["hooklatch.toml: server.acme.ca", "root.pem"]]);
    const { cert, key } = makeCertificate(home.path(), "root");
    const sound = readFileSync(cert, "utf8");
    for (const text of ["hello", readFileSync(key, "utf8"), `${sound}${sound.replace("MII", "AAA")}`]) {
      home.write("root.pem", text);
      expectFindings(home.load(), [["hooklatch.toml: server.acme.ca", "root.pem"]]);
    }
    home.write("root.pem", `A root\n${sound}${sound}`);
    expectNoFindings();
  });
});
