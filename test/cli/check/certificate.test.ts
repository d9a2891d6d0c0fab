import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkCertificate, isFor } from "../../../src/cli/check/certificate.ts";
import type { Config } from "../../../src/config/load.ts";
import { makeCertificate, makeExpiredCertificate } from "../../support/certificate.ts";
import { Authority } from "./authority.ts";
import { serverWith } from "./settings.ts";

setDefaultTimeout(120_000);

const DAY = 86_400_000;

let root: string;
let authority: Authority;
let key: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "hooklatch-check-"));
  authority = new Authority(root);
  key = authority.certify("site", "DNS:hooks.example.com,DNS:*.wild.example.com,IP:192.0.2.1");
});

afterAll(() => rmSync(root, { recursive: true }));

function remarksOf(tls: Config["server"]["tls"], settings: Partial<Config["server"]> = {}, now = new Date()) {
  return checkCertificate({ server: serverWith({ tls, ...settings }) }, now).map(
    ({ level, text }) => `${level} ${text}`,
  );
}

/** The remarks but for the first, which tells names and dates. */
function remarksBut(names: readonly string[], settings: Partial<Config["server"]> = {}) {
  const cert = authority.bundle("chain.pem", names);
  const [first, ...others] = remarksOf({ cert, key }, settings);
  expect(first).toStartWith(
    `ok TLS certificate ${cert}: for hooks.example.com, *.wild.example.com, 192.0.2.1, valid until `,
  );
  return others.map((line) => line.replace(cert, "CERT"));
}

describe("check of a certificate", () => {
  test("says nothing without TLS", () => {
    expect(remarksOf(null)).toEqual([]);
  });

  test("warns of a leaf whose issuer is not in the file, and names that", () => {
    expect(remarksBut(["site"])).toEqual([
      'warn TLS certificate CERT: its chain is not whole, "O=Tests, CN=intermediate" is missing and no public root: senders cannot verify it; name the file with the intermediates (fullchain.pem)',
    ]);
    expect(remarksBut(["site", "intermediate"])).toEqual([
      expect.stringContaining('"O=Tests, CN=root" is missing'),
    ]);
  });

  test("takes a chain that leads to a root that senders know, whether that is in the file or not", () => {
    const roots = [readFileSync(join(root, "root.pem"), "utf8")];
    for (const names of [
      ["site", "intermediate"],
      ["site", "intermediate", "root"],
    ]) {
      const tls = { cert: authority.bundle("whole.pem", names), key };
      const remarks = checkCertificate({ server: serverWith({ tls }) }, new Date(), roots);
      expect(remarks.map(({ level }) => level)).toEqual(["ok"]);
    }
    const alone = { cert: authority.bundle("alone.pem", ["site"]), key };
    const [, warning] = checkCertificate({ server: serverWith({ tls: alone }) }, new Date(), roots);
    expect(warning?.text).toContain("its chain is not whole");
  });

  test("fails a chain with an authority in it that expired, unless senders need it no more", () => {
    const directory = join(root, "short");
    mkdirSync(directory);
    const short = new Authority(directory, 10);
    const own = {
      key: short.certify("site", "DNS:localhost"),
      cert: short.bundle("chain.pem", ["site", "intermediate", "root"]),
    };
    const later = new Date(Date.now() + 20 * DAY);
    const roots = (name: string) => [readFileSync(join(directory, `${name}.pem`), "utf8")];
    const look = (name: string) =>
      checkCertificate({ server: serverWith({ tls: own }) }, later, roots(name)).map(
        ({ level, text }) => `${level} ${text}`,
      );
    expect(look("root")).toEqual([
      expect.stringMatching(/^ok /),
      `fail TLS certificate ${own.cert}: "O=Tests, CN=intermediate" in its chain expired; renew it with its chain`,
    ]);
    expect(look("intermediate")).toEqual([expect.stringMatching(/^ok /)]);
  });

  test("fails a file with something in it that is no certificate", () => {
    const cert = authority.bundle("half.pem", ["site"]);
    const nonsense = "-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n";
    writeFileSync(cert, readFileSync(cert, "utf8") + nonsense);
    expect(remarksOf({ cert, key })).toEqual([
      `fail TLS: ${cert} is not a whole chain of PEM certificates; is it half written?`,
    ]);
  });

  test("warns of an authority that nobody else knows, in whatever order the chain is", () => {
    const warning =
      'warn TLS certificate CERT is of a private authority, "O=Tests, CN=root": senders that do not know it refuse it, as GitHub does unless SSL verification is off';
    expect(remarksBut(["site", "intermediate", "root"])).toEqual([warning]);
    expect(remarksBut(["site", "root", "intermediate"])).toEqual([warning]);
  });

  test("warns of a self-signed one", () => {
    const pair = makeCertificate(root, "own");
    expect(remarksOf(pair)).toEqual([
      expect.stringMatching(/^ok TLS certificate .*: for localhost, 127\.0\.0\.1, valid until /),
      expect.stringMatching(
        /^warn TLS certificate .* is self-signed: GitHub refuses it unless SSL verification is off/,
      ),
    ]);
  });

  test("fails one whose time is over or has not come, and warns when it soon runs out", () => {
    const expired = makeExpiredCertificate(root, "expired");
    expect(remarksOf(expired)).toEqual([
      expect.stringMatching(/^fail TLS: the certificate .* expired at 2020-02-01/),
    ]);
    const pair = { cert: authority.bundle("dates.pem", ["site", "intermediate", "root"]), key };
    expect(remarksOf(pair, {}, new Date("2020-01-01"))).toEqual([
      expect.stringMatching(/^fail TLS: the certificate .* is not valid before .*; check the clock$/),
    ]);
    const late = new Date(Date.now() + 50 * DAY);
    expect(remarksOf(pair, {}, late)[0]).toMatch(/^warn .* \((?:9|10) days\); renew it$/);
  });

  test("fails a key that does not belong to it, or is not there", () => {
    const cert = authority.bundle("alone.pem", ["site"]);
    const [other] = remarksOf({ cert, key: join(root, "root.key") });
    expect(other).toBe(
      `fail TLS: the key ${join(root, "root.key")} does not belong to the certificate ${cert}`,
    );
    const [missing] = remarksOf({ cert, key: join(root, "none.key") });
    expect(missing).toBe(
      `fail TLS: the private key file ${join(root, "none.key")} does not exist; get one, or correct its path`,
    );
  });

  test("warns of a key that everybody may read, and takes one for its group", () => {
    chmodSync(key, 0o640);
    expect(remarksBut(["site", "intermediate", "root"])).toHaveLength(1);
    chmodSync(key, 0o644);
    expect(remarksBut(["site", "intermediate", "root"])[1]).toBe(
      `warn TLS key ${key} is open to everybody on this machine: chmod o= ${key}`,
    );
    chmodSync(key, 0o600);
  });

  test("fails one that is not for the host of public_url, and only warns of it behind a proxy", () => {
    const chain = ["site", "intermediate", "root"];
    const sees = (host: string, settings: Partial<Config["server"]> = {}) =>
      remarksBut(chain, { publicUrl: `https://${host}`, ...settings }).slice(1);
    for (const host of ["hooks.example.com", "a.wild.example.com:9000", "192.0.2.1"])
      expect(sees(host)).toEqual([]);
    expect(sees("other.example.com")).toEqual([
      "fail TLS certificate CERT is for hooks.example.com, *.wild.example.com, 192.0.2.1, not for other.example.com of public_url: senders refuse it; get one for that name",
    ]);
    expect(sees("[2001:db8::1]")[0]).toContain("not for 2001:db8::1 of public_url");
    expect(sees("other.example.com", { trustedProxies: ["192.0.2.9"] })[0]).toStartWith("warn ");
  });

  test("lets a wildcard stand for one whole label", () => {
    const leaf = new X509Certificate(readFileSync(join(root, "site.pem")));
    const hosts = [
      "A.WILD.example.com",
      "wild.example.com",
      "a.b.wild.example.com",
      "xhooks.example.com",
      "site",
    ];
    expect(hosts.map((host) => isFor(leaf, host))).toEqual([true, false, false, false, false]);
    expect(isFor(leaf, "192.0.2.2")).toBe(false);
  });
});
