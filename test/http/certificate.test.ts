import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readCertificate } from "../../src/http/certificate.ts";
import { type CertificatePair, makeCertificate } from "../support/certificate.ts";

setDefaultTimeout(120_000);

/** After the certificate was made, which is valid from that second on. */
let now: Date;
let directory: string;
let good: CertificatePair;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "hooklatch-test-"));
  good = makeCertificate(directory, "good");
  now = new Date();
});

afterAll(() => rmSync(directory, { recursive: true }));

describe("readCertificate", () => {
  test("gives the pair and the day on which it runs out", () => {
    const certificate = readCertificate(good, now);
    expect(certificate.cert).toContain("BEGIN CERTIFICATE");
    expect(certificate.key).toContain("PRIVATE KEY");
    expect(certificate.validTo.getTime()).toBeGreaterThan(now.getTime());
  });

  test("names the file that is missing", () => {
    const cert = join(directory, "nowhere.pem");
    expect(() => readCertificate({ ...good, cert }, now)).toThrow(
      `TLS: the certificate file ${cert} does not exist`,
    );
    expect(() => readCertificate({ ...good, key: cert }, now)).toThrow(
      `TLS: the private key file ${cert} does not exist`,
    );
  });

  test("names both files when both are missing", () => {
    const nowhere = { cert: join(directory, "a.pem"), key: join(directory, "b.pem") };
    expect(() => readCertificate(nowhere, now)).toThrow(
      `TLS: the certificate file ${nowhere.cert} does not exist; get one, or correct its path\nTLS: the private key file ${nowhere.key} does not exist`,
    );
  });

  test("names the file that is no PEM, also when it is empty", () => {
    for (const content of ["", "hello"]) {
      const broken = join(directory, "broken.pem");
      writeFileSync(broken, content);
      expect(() => readCertificate({ ...good, cert: broken }, now)).toThrow(
        `TLS: ${broken} is not a PEM certificate`,
      );
      expect(() => readCertificate({ ...good, key: broken }, now)).toThrow(
        `TLS: ${broken} is not a PEM private key`,
      );
    }
  });

  test("takes a whole chain, and names the file of one that is cut off or damaged", () => {
    const leaf = readFileSync(good.cert, "utf8");
    const chain = join(directory, "chain.pem");
    writeFileSync(chain, leaf + leaf);
    expect(readCertificate({ ...good, cert: chain }, now).cert).toBe(leaf + leaf);
    for (const rest of [leaf.slice(0, -60), leaf.replace("MII", "M!I"), "-----BEGIN CERTIFICATE-----\n"]) {
      writeFileSync(chain, leaf + rest);
      expect(() => readCertificate({ ...good, cert: chain }, now)).toThrow(
        `TLS: ${chain} is not a whole chain of PEM certificates`,
      );
    }
  });

  test("takes a file that has the key beside the certificate", () => {
    const both = join(directory, "both.pem");
    writeFileSync(both, readFileSync(good.cert, "utf8") + readFileSync(good.key, "utf8"));
    expect(readCertificate({ cert: both, key: both }, now).key).toContain("PRIVATE KEY");
  });

  test("names both files when they do not belong together", () => {
    const other = makeCertificate(directory, "other");
    expect(() => readCertificate({ cert: good.cert, key: other.key }, now)).toThrow(
      `TLS: the key ${other.key} does not belong to the certificate ${good.cert}`,
    );
  });

  test("names the certificate that expired, or is not valid yet", () => {
    const { validTo } = readCertificate(good, now);
    expect(() => readCertificate(good, new Date(validTo.getTime() + 1000))).toThrow(
      `TLS: the certificate ${good.cert} expired at ${validTo.toISOString()}`,
    );
    expect(() => readCertificate(good, new Date(0))).toThrow(
      `TLS: the certificate ${good.cert} is not valid before`,
    );
  });
});
