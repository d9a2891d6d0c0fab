import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { makeCertificate } from "../support/certificate.ts";
import { configOf, linesOf, makeHome } from "./home.ts";

const home = makeHome();

/** A configuration with what automatic HTTPS has to have, and more keys as written. */
function write(acme = "", server = ""): void {
  home.write(
    "hooklatch.toml",
    `[server]\n${server}\n[server.acme]\ndomains = ["hooks.example.com"]\nterms_agreed = true\n${acme}`,
  );
}

describe("automatic HTTPS", () => {
  test("needs domains and agreement: the certificate is Let's Encrypt's, and all addresses are listened on", () => {
    write();
    const loaded = home.load();
    expect(configOf(loaded).server).toMatchObject({
      host: "0.0.0.0",
      port: 9000,
      tls: null,
      acme: {
        settings: {
          domains: ["hooks.example.com"],
          email: null,
          directory: "https://acme-v02.api.letsencrypt.org/directory",
          ca: null,
        },
        httpPort: 80,
      },
    });
    expect(linesOf(loaded)).toEqual([]);
  });

  test("is of any CA, whose own root stands in a file beside the configuration", () => {
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
      },
      httpPort: 5002,
    });
  });

  test("asks a CA over plain HTTP on this machine only", () => {
    write('directory = "http://localhost:14000/dir"');
    expect(configOf(home.load()).server.acme?.settings.directory).toBe("http://localhost:14000/dir");
  });

  test("is not had without domains or without agreement to the CA's terms, which are named", () => {
    home.write("hooklatch.toml", "[server.acme]");
    expect(linesOf(home.load())).toEqual([
      'hooklatch.toml: server.acme.domains: expected a list of DNS names such as "hooks.example.com", with at least one, found nothing',
      "hooklatch.toml: server.acme.terms_agreed: expected true, once you have read and agreed to the Subscriber Agreement of Let's Encrypt (https://letsencrypt.org/repository/), found nothing",
    ]);
    home.write("hooklatch.toml", '[server.acme]\ndomains = []\nterms_agreed = "yes"');
    expect(linesOf(home.load())).toEqual([
      'hooklatch.toml: server.acme.domains: expected a list of DNS names such as "hooks.example.com", with at least one, found []',
      'hooklatch.toml: server.acme.terms_agreed: expected true or false, found "yes"',
    ]);
  });

  test("is a fault where the environment names certificate files, and where the CA could not come", () => {
    write();
    expect(linesOf(home.load({ env: { TLS_CERT: "cert.pem", TLS_KEY: "key.pem" } }))).toEqual([
      "environment: $TLS_CERT: is set beside [server.acme], which gets its own certificate: unset it",
      "environment: $TLS_KEY: is set beside [server.acme], which gets its own certificate: unset it",
    ]);
    write("", 'host = "unix:/run/hook.sock"\ntrusted_proxies = ["unix"]');
    expect(linesOf(home.load())).toEqual([
      "hooklatch.toml: server.acme: expected a host with ports, where the CA and the senders come, found a unix socket: the proxy in front of it has the certificate",
    ]);
  });

  test("has a port for challenges that no other listener has", () => {
    write("", "port = 80");
    expect(linesOf(home.load())).toEqual([
      "hooklatch.toml: server.acme.http_port: expected another port than the public listener's, found 80",
    ]);
    write("http_port = 5002\n[admin]\nport = 5002");
    expect(linesOf(home.load())).toEqual([
      "hooklatch.toml: server.acme.http_port: expected another port than the admin listener's, found 5002",
    ]);
    write("http_port = 5002\n[admin]\nport = 5002", 'host = "192.0.2.1"');
    expect(linesOf(home.load())).toEqual([]);
  });

  test("is warned of where public_url is another host's", () => {
    write("", 'public_url = "https://Hooks.example.com:9000/"');
    expect(linesOf(home.load())).toEqual([]);
    write("", 'public_url = "https://www.example.com"');
    expect(linesOf(home.load())).toEqual([
      'hooklatch.toml: server.public_url: its host is not among the domains of [server.acme]: the certificate is not for "www.example.com"',
    ]);
  });

  test("is a fault where the CA's root is not to be had, or damaged", () => {
    write('ca = "root.pem"');
    expect(linesOf(home.load())).toEqual(["hooklatch.toml: server.acme.ca: root.pem does not exist"]);
    const { cert, key } = makeCertificate(home.path(), "root");
    const sound = readFileSync(cert, "utf8");
    for (const text of ["hello", readFileSync(key, "utf8"), `${sound}${sound.replace("MII", "AAA")}`]) {
      home.write("root.pem", text);
      expect(linesOf(home.load())).toEqual([
        "hooklatch.toml: server.acme.ca: root.pem is not a file of PEM certificates",
      ]);
    }
    home.write("root.pem", `A root\n${sound}${sound}`);
    expect(linesOf(home.load())).toEqual([]);
  });
});
