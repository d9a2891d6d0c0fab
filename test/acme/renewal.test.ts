import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { chooseRenewal, identifyCertificate, pauseAfter } from "../../src/acme/renewal.ts";

setDefaultTimeout(120_000);

const pair = {
  cert: "",
  key: "",
  validFrom: new Date("2026-01-01T00:00:00Z"),
  validTo: new Date("2026-04-01T00:00:00Z"),
};

describe("chooseRenewal", () => {
  test("chooses the time when a third of the lifetime is left, without renewal information", () => {
    expect(chooseRenewal(pair, null, 0.9)).toEqual(new Date("2026-03-02T00:00:00Z"));
  });

  test("chooses a time in the window of the CA by the random number", () => {
    const window = { start: new Date("2026-01-10T00:00:00Z"), end: new Date("2026-01-12T00:00:00Z") };
    expect(chooseRenewal(pair, window, 0)).toEqual(window.start);
    expect(chooseRenewal(pair, window, 0.5)).toEqual(new Date("2026-01-11T00:00:00Z"));
  });

  test("chooses the time when a third of the lifetime is left, if the window ends with the certificate", () => {
    const window = { start: new Date("2026-03-30T00:00:00Z"), end: pair.validTo };
    expect(chooseRenewal(pair, window, 0.5)).toEqual(new Date("2026-03-02T00:00:00Z"));
  });
});

describe("pauseAfter", () => {
  const now = new Date("2026-01-01T00:00:00Z");

  test("starts at one minute and doubles up to 12 hours", () => {
    const minutes = [1, 2, 3, 10, 11, 5000].map((failures) => pauseAfter(failures, null, now, 0) / 60_000);
    expect(minutes).toEqual([1, 2, 4, 512, 720, 720]);
  });

  test("is shortened by a random part of up to a quarter", () => {
    expect(pauseAfter(1, null, now, 1)).toBe(45_000);
  });

  test("lasts until the end of a rate limit and at most one week", () => {
    expect(pauseAfter(1, new Date("2026-01-02T00:00:00Z"), now, 0)).toBe(86_400_000);
    expect(pauseAfter(1, new Date("2026-01-01T00:00:01Z"), now, 0)).toBe(60_000);
    expect(pauseAfter(1, new Date("2036-01-01T00:00:00Z"), now, 0)).toBe(7 * 86_400_000);
  });
});

describe("identifyCertificate", () => {
  function certify(serial: string, extensions: readonly string[]): string {
    const args = ["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
    const extensionArgs = extensions.flatMap((extension) => ["-addext", extension]);
    return execFileSync(
      "openssl",
      [...args, "-keyout", "/dev/null", "-subj", "/CN=x", "-set_serial", serial, ...extensionArgs],
      { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
    );
  }

  test("joins the key identifier of the issuer and the DER serial number", () => {
    const key = "69:88:5B:6B:87:46:40:41:E1:B3:7B:84:7B:A0:AE:2C:DE:01:C8:D4";
    const extensions = [
      `subjectKeyIdentifier=${key.replaceAll(":", "")}`,
      "authorityKeyIdentifier=keyid:always",
    ];
    expect(identifyCertificate(certify("0x8765432100", extensions))).toBe(
      "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyEA",
    );
    // The example of RFC 9773, section 4.1.
    expect(identifyCertificate(certify("0x87654321", extensions))).toBe(
      "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE",
    );
    expect(identifyCertificate(certify("0x12345", extensions))).toBe("aYhba4dGQEHhs3uEe6CuLN4ByNQ.ASNF");
  });

  test("returns null without the key identifier of the issuer", () => {
    expect(identifyCertificate(certify("1", ["authorityKeyIdentifier=none"]))).toBeNull();
  });
});
