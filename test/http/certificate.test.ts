import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readCertificate } from "../../src/http/tls/certificate.ts";
import { AppError } from "../../src/lib/errors.ts";
import { catchError } from "../providers/catch-error.ts";
import { type CertificatePair, makeCertificate } from "../support/certificate.ts";
import { words } from "../support/words.ts";

setDefaultTimeout(120_000);

/** A time after the certificate was created, which is valid from that second. */
let now: Date;
let directory: string;
let good: CertificatePair;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "hooklatch-test-"));
  good = makeCertificate(directory, "good");
  now = new Date();
});

afterAll(() => rmSync(directory, { recursive: true }));

/** Returns the message of the configuration error that reading the files throws, which must contain every detail. */
async function failureOf(files: CertificatePair, details: readonly string[], time = now): Promise<string> {
  const error = await catchError(() => readCertificate(files, time));
  expect(error).toBeInstanceOf(AppError);
  expect(error).toMatchObject({ code: "configuration" });
  for (const detail of details) expect(error.message).toContain(detail);
  return words(error.message);
}

describe("readCertificate", () => {
  test("returns the certificate, the key and the expiry date", () => {
    const certificate = readCertificate(good, now);
    expect(certificate.cert).toContain("BEGIN CERTIFICATE");
    expect(certificate.key).toContain("PRIVATE KEY");
    expect(certificate.validTo.getTime()).toBeGreaterThan(now.getTime());
  });

  test("names a missing file", async () => {
    const missing = join(directory, "nowhere.pem");
    expect([
      await failureOf({ ...good, cert: missing }, [missing]),
      await failureOf({ ...good, key: missing }, [missing]),
    ]).toMatchSnapshot();
  });

  test("names both files when both are missing", async () => {
    const missing = { cert: join(directory, "a.pem"), key: join(directory, "b.pem") };
    expect(await failureOf(missing, [missing.cert, missing.key])).toMatchSnapshot();
  });

  test("names a file that is not PEM", async () => {
    const broken = join(directory, "broken.pem");
    const failures: string[] = [];
    for (const content of ["", "hello"]) {
      writeFileSync(broken, content);
      failures.push(await failureOf({ ...good, cert: broken }, [broken]));
      failures.push(await failureOf({ ...good, key: broken }, [broken]));
    }
    expect(failures).toMatchSnapshot();
  });

  test("accepts a chain and names a file whose chain is truncated or damaged", async () => {
    const leaf = readFileSync(good.cert, "utf8");
    const chain = join(directory, "chain.pem");
    writeFileSync(chain, leaf + leaf);
    expect(readCertificate({ ...good, cert: chain }, now).cert).toBe(leaf + leaf);
    const failures: string[] = [];
    for (const rest of [leaf.slice(0, -60), leaf.replace("MII", "M!I"), "-----BEGIN CERTIFICATE-----\n"]) {
      writeFileSync(chain, leaf + rest);
      failures.push(await failureOf({ ...good, cert: chain }, [chain]));
    }
    expect(failures).toMatchSnapshot();
  });

  test("accepts a file that contains both the certificate and the key", () => {
    const both = join(directory, "both.pem");
    writeFileSync(both, readFileSync(good.cert, "utf8") + readFileSync(good.key, "utf8"));
    expect(readCertificate({ cert: both, key: both }, now).key).toContain("PRIVATE KEY");
  });

  test("names both files when the key does not match the certificate", async () => {
    const { cert } = good;
    const { key } = makeCertificate(directory, "other");
    expect(await failureOf({ cert, key }, [cert, key])).toMatchSnapshot();
  });

  test("names a certificate that has expired or is not valid yet", async () => {
    const { validTo } = readCertificate(good, now);
    const late = new Date(validTo.getTime() + 1000);
    expect([
      await failureOf(good, [good.cert, validTo.toISOString()], late),
      await failureOf(good, [good.cert], new Date(0)),
    ]).toMatchSnapshot();
  });

  describe("of a chain", () => {
    let text: { readonly leaf: string; readonly other: string };
    beforeAll(() => {
      const other = makeCertificate(directory, "other");
      text = { leaf: readFileSync(good.cert, "utf8"), other: readFileSync(other.cert, "utf8") };
    });
    const write = (content: string): CertificatePair => {
      const cert = join(directory, "chain.pem");
      writeFileSync(cert, content);
      return { ...good, cert };
    };

    test("in another order names the order", async () => {
      const message = await failureOf(write(text.other + text.leaf), ["number 2", "first"]);
      expect(message).toMatchSnapshot();
    });

    test("without a newline between two certificates names that", async () => {
      const message = await failureOf(write(text.leaf.trimEnd() + text.other), ["-----END", "one line"]);
      expect(message).toMatchSnapshot();
    });

    test("after a byte order mark is served without the mark", () => {
      expect(readCertificate(write(`\uFEFF${text.leaf}${text.other}`), now).cert).toBe(
        text.leaf + text.other,
      );
    });
  });
});
