import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../../src/config/load.ts";
import { checkCertificate, coversHost } from "../../src/doctor/certificate.ts";
import { makeCertificate, makeExpiredCertificate } from "../support/certificate.ts";
import { Authority } from "./authority.ts";
import { levelsOf, linesOf, wordsOf } from "./results.ts";
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

function check(tls: Config["server"]["tls"], settings: Partial<Config["server"]> = {}, now = new Date()) {
  return linesOf(checkCertificate({ server: serverWith({ tls, ...settings }) }, now));
}

/** The results for a chain of these certificates, without the first, which shows the names and the expiry date. */
function checkChain(names: readonly string[], settings: Partial<Config["server"]> = {}) {
  const cert = authority.bundle("chain.pem", names);
  const [first, ...others] = check({ cert, key }, settings);
  expect(first).toStartWith("ok ");
  for (const fact of [cert, "hooks.example.com, *.wild.example.com, 192.0.2.1"])
    expect(first).toContain(fact);
  return others;
}

/** The lines for a snapshot, without the dates of the generated certificates. */
const wordsWithoutDates = (lines: readonly string[]) =>
  wordsOf(lines).map((line) =>
    line.replace(/\b\d{4}-\d\d-\d\d\b/, "<date>").replace(/\b\d+ days\b/, "<n> days"),
  );

describe("certificate check", () => {
  test("returns no results without TLS", () => {
    expect(check(null)).toEqual([]);
  });

  test("warns about an incomplete chain and names the missing issuer", () => {
    const [withoutIntermediate = "", ...others] = checkChain(["site"]);
    expect(others).toEqual([]);
    expect(withoutIntermediate).toContain('"O=Tests, CN=intermediate"');
    const withoutRoot = checkChain(["site", "intermediate"]);
    expect(withoutRoot).toEqual([expect.stringContaining('"O=Tests, CN=root"')]);
    const lines = [withoutIntermediate, ...withoutRoot];
    expect(levelsOf(lines)).toEqual(["warn", "warn"]);
    expect(wordsOf(lines)).toMatchSnapshot();
  });

  test("accepts a chain to a known root, whether or not the file contains the root", () => {
    const roots = [readFileSync(join(root, "root.pem"), "utf8")];
    for (const names of [
      ["site", "intermediate"],
      ["site", "intermediate", "root"],
    ]) {
      const tls = { cert: authority.bundle("whole.pem", names), key };
      const results = checkCertificate({ server: serverWith({ tls }) }, new Date(), roots);
      expect(results.map(({ level }) => level)).toEqual(["ok"]);
    }
    const alone = { cert: authority.bundle("alone.pem", ["site"]), key };
    const results = checkCertificate({ server: serverWith({ tls: alone }) }, new Date(), roots);
    expect(results.map(({ level }) => level)).toEqual(["ok", "warn"]);
    expect(results[1]?.text).toContain('"O=Tests, CN=intermediate"');
  });

  test("fails a chain with an expired authority, unless the chain is valid without it", () => {
    const directory = join(root, "short");
    mkdirSync(directory);
    const short = new Authority(directory, 10);
    const own = {
      key: short.certify("site", "DNS:localhost"),
      cert: short.bundle("chain.pem", ["site", "intermediate", "root"]),
    };
    const later = new Date(Date.now() + 20 * DAY);
    const roots = (name: string) => [readFileSync(join(directory, `${name}.pem`), "utf8")];
    const checkWith = (root: string) =>
      linesOf(checkCertificate({ server: serverWith({ tls: own }) }, later, roots(root)));
    const lines = checkWith("root");
    expect(levelsOf(lines)).toEqual(["ok", "fail"]);
    for (const fact of [own.cert, '"O=Tests, CN=intermediate"']) expect(lines[1]).toContain(fact);
    expect(wordsWithoutDates(lines)).toMatchSnapshot();
    expect(levelsOf(checkWith("intermediate"))).toEqual(["ok"]);
  });

  test("fails a file that contains an invalid certificate", () => {
    const cert = authority.bundle("half.pem", ["site"]);
    const nonsense = "-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n";
    writeFileSync(cert, readFileSync(cert, "utf8") + nonsense);
    const lines = check({ cert, key });
    expect(levelsOf(lines)).toEqual(["fail"]);
    expect(lines[0]).toContain(cert);
    expect(wordsOf(lines)).toMatchSnapshot();
  });

  test("warns about a private authority, in any order of the chain", () => {
    const lines = checkChain(["site", "intermediate", "root"]);
    expect(levelsOf(lines)).toEqual(["warn"]);
    expect(lines[0]).toContain('"O=Tests, CN=root"');
    expect(wordsOf(lines)).toMatchSnapshot();
    expect(checkChain(["site", "root", "intermediate"])).toEqual(lines);
  });

  test("warns about a self-signed certificate", () => {
    const lines = check(makeCertificate(root, "own"));
    expect(levelsOf(lines)).toEqual(["ok", "warn"]);
    expect(lines[0]).toContain("localhost, 127.0.0.1");
    expect(wordsWithoutDates(lines)).toMatchSnapshot();
  });

  test("fails an expired certificate and one that is not valid yet, and warns before it expires", () => {
    const expired = check(makeExpiredCertificate(root, "expired"));
    expect(expired[0]).toContain("2020-02-01");
    const pair = { cert: authority.bundle("dates.pem", ["site", "intermediate", "root"]), key };
    const notYetValid = check(pair, {}, new Date("2020-01-01"));
    expect(levelsOf([...expired, ...notYetValid])).toEqual(["fail", "fail"]);
    const [expiring = ""] = check(pair, {}, new Date(Date.now() + 50 * DAY));
    expect(levelsOf([expiring])).toEqual(["warn"]);
    expect(expiring).toMatch(/\b(?:9|10) days\b/);
    expect(wordsWithoutDates([...expired, ...notYetValid, expiring])).toMatchSnapshot();
  });

  test("fails a key that does not match the certificate, and a missing key", () => {
    const cert = authority.bundle("alone.pem", ["site"]);
    const [other = ""] = check({ cert, key: join(root, "root.key") });
    for (const fact of [join(root, "root.key"), cert]) expect(other).toContain(fact);
    const [missing = ""] = check({ cert, key: join(root, "none.key") });
    expect(missing).toContain(join(root, "none.key"));
    expect(levelsOf([other, missing])).toEqual(["fail", "fail"]);
    expect(wordsOf([other, missing])).toMatchSnapshot();
  });

  test("warns about a key that is readable by everyone, and accepts one that is readable by its group", () => {
    chmodSync(key, 0o640);
    expect(checkChain(["site", "intermediate", "root"])).toHaveLength(1);
    chmodSync(key, 0o644);
    const [, warning = ""] = checkChain(["site", "intermediate", "root"]);
    expect(levelsOf([warning])).toEqual(["warn"]);
    expect(warning).toContain(key);
    expect(wordsOf([warning])).toMatchSnapshot();
    chmodSync(key, 0o600);
  });

  test("fails a certificate that does not cover the host of public_url, and only warns behind a proxy", () => {
    const chain = ["site", "intermediate", "root"];
    const checkHost = (host: string, settings: Partial<Config["server"]> = {}) =>
      checkChain(chain, { publicUrl: `https://${host}`, ...settings }).slice(1);
    for (const host of ["hooks.example.com", "a.wild.example.com:9000", "192.0.2.1"])
      expect(checkHost(host)).toEqual([]);
    const lines = checkHost("other.example.com");
    expect(levelsOf(lines)).toEqual(["fail"]);
    for (const fact of [
      "hooks.example.com, *.wild.example.com, 192.0.2.1",
      "other.example.com",
      "public_url",
    ]) {
      expect(lines[0]).toContain(fact);
    }
    expect(wordsOf(lines)).toMatchSnapshot();
    const address = checkHost("[2001:db8::1]");
    expect(levelsOf(address)).toEqual(["fail"]);
    expect(address[0]).toContain(" 2001:db8::1 ");
    expect(levelsOf(checkHost("other.example.com", { trustedProxies: ["192.0.2.9"] }))).toEqual(["warn"]);
  });
});

describe("certificate names", () => {
  test("matches a wildcard with exactly one label", () => {
    const leaf = new X509Certificate(readFileSync(join(root, "site.pem")));
    const hosts = [
      "A.WILD.example.com",
      "wild.example.com",
      "a.b.wild.example.com",
      "xhooks.example.com",
      "site",
    ];
    expect(hosts.map((host) => coversHost(leaf, host))).toEqual([true, false, false, false, false]);
    expect(coversHost(leaf, "192.0.2.2")).toBe(false);
  });
});
