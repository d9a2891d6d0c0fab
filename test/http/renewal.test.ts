import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { Fault } from "../../src/domain/fault.ts";
import type { Log } from "../../src/domain/log.ts";
import { type Certificate, readCertificate } from "../../src/http/certificate.ts";
import { createExpiryReminder } from "../../src/http/expiry.ts";
import { listen } from "../../src/http/listen.ts";
import { type CertificateWatch, watchCertificate } from "../../src/http/renewal.ts";
import { ManualClock } from "../flow/manual-clock.ts";
import { type CertificatePair, makeCertificate, makeExpiredCertificate } from "../support/certificate.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(120_000);

const LOOK = 5_000;
const DAY = 86_400_000;

let directory: string;
let served: CertificatePair;
let clock: ManualClock;
let end: AbortController;
let lines: string[];
let taken: Certificate[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "hooklatch-renewal-"));
  served = makeCertificate(directory, "served");
  // Certificates that a test makes are valid then.
  clock = new ManualClock(new Date(Date.now() + 3_600_000).toISOString());
  end = new AbortController();
  [lines, taken] = [[], []];
});
afterEach(() => {
  end.abort();
  rmSync(directory, { recursive: true });
});

const write = (level: string) => (_fields: unknown, message: string) =>
  void lines.push(`${level}: ${message}`);
const log: Log = {
  debug: write("debug"),
  info: write("info"),
  warn: write("warn"),
  error: write("error"),
};
const warnings = () => lines.filter((line) => !line.startsWith("info: "));

async function watch(
  files: CertificatePair = served,
  onChange: (certificate: Certificate) => Promise<void> = async (certificate) => void taken.push(certificate),
): Promise<CertificateWatch> {
  const first = readCertificate(files, clock.now());
  const started = watchCertificate(files, first, { clock, log, onChange, signal: end.signal });
  await until(() => clock.sleeping === 1);
  return started;
}

/** Lets the time of one look pass, and the look come to its end. */
async function passLook(milliseconds = LOOK): Promise<void> {
  clock.advance(milliseconds);
  await until(() => clock.sleeping === 1);
}

function replace(part: "cert" | "key", pair: CertificatePair): void {
  copyFileSync(pair[part], served[part]);
}

function replaceBoth(pair: CertificatePair): void {
  replace("cert", pair);
  replace("key", pair);
}

describe("a renewed certificate", () => {
  test("is served to new connections after the next look, and told once", async () => {
    const certificate = readCertificate(served, clock.now());
    const handle = async () => new Response("ok");
    const listener = listen({ host: "127.0.0.1", port: 0, certificate, maxBody: 1024, handle });
    try {
      await watch(served, listener.renew);
      const renewed = makeCertificate(directory, "renewed");
      replaceBoth(renewed);
      await passLook();
      await passLook();
      expect(await shownBy(listener.url)).toBe(flat(readFileSync(renewed.cert, "utf8")));
      expect(lines).toEqual([
        expect.stringMatching(/^info: took up the renewed certificate, valid until 20/),
      ]);
    } finally {
      await listener.stop(0);
    }
  });

  test("is seen where a symbolic link is switched, as Let's Encrypt's client does", async () => {
    const [first, second] = [join(directory, "1"), join(directory, "2")];
    for (const each of [first, second]) mkdirSync(each);
    makeCertificate(first, "archived");
    const archived = makeCertificate(second, "archived");
    const live = join(directory, "live");
    symlinkSync(first, live);
    await watch({ cert: join(live, "archived-cert.pem"), key: join(live, "archived-key.pem") });
    symlinkSync(second, join(directory, "next"));
    renameSync(join(directory, "next"), live);
    await passLook();
    expect(taken.map(({ cert }) => cert)).toEqual([readFileSync(archived.cert, "utf8")]);
  });

  test("is taken up by a look that somebody asks for, without waiting", async () => {
    const { look } = await watch();
    replaceBoth(makeCertificate(directory, "renewed"));
    await Promise.all([look(), look()]);
    expect(taken).toHaveLength(1);
  });

  test("is followed by the next, however fast they come", async () => {
    const { look } = await watch();
    for (const name of ["one", "two", "three"]) {
      replaceBoth(makeCertificate(directory, name));
      const looks = Promise.all([look(), passLook(), look()]);
      await looks;
    }
    const names = taken.map(({ cert }) => cert);
    expect(names).toEqual(
      ["one", "two", "three"].map((name) => readFileSync(join(directory, `${name}-cert.pem`), "utf8")),
    );
    expect(warnings()).toEqual([]);
  });

  test("is waited for where only one of its files is there yet, without a warning", async () => {
    await watch();
    const renewed = makeCertificate(directory, "renewed");
    replace("cert", renewed);
    await passLook();
    expect(taken).toEqual([]);
    replace("key", renewed);
    await passLook();
    expect(taken).toHaveLength(1);
    expect(warnings()).toEqual([]);
  });

  test("is tried again where it could not be taken up, with one warning", async () => {
    let isBroken = true;
    await watch(served, async (certificate) => {
      if (isBroken) throw new Fault("failed", "port 443 is in use");
      taken.push(certificate);
    });
    replaceBoth(makeCertificate(directory, "renewed"));
    for (let count = 0; count < 4; count++) await passLook();
    expect(warnings()).toEqual(["warn: the old certificate stays: port 443 is in use"]);
    isBroken = false;
    await passLook();
    expect(taken).toHaveLength(1);
  });
});

describe("a pair that cannot be served", () => {
  const breakages: readonly (readonly [string, () => void, string])[] = [
    [
      "whose key is another's",
      () => replace("key", makeCertificate(directory, "other")),
      "does not belong to the certificate",
    ],
    [
      "that has expired",
      () => replaceBoth(makeExpiredCertificate(directory, "late")),
      "expired at 2020-02-01",
    ],
    [
      "whose certificate is half written",
      () => writeFileSync(served.cert, readFileSync(served.cert, "utf8").slice(0, 300)),
      "is not a PEM certificate",
    ],
    [
      "whose chain is half written",
      () => writeFileSync(served.cert, readFileSync(served.cert, "utf8").repeat(2).slice(0, -100)),
      "is it half written?",
    ],
    ["whose key is empty", () => writeFileSync(served.key, ""), "is not a PEM private key"],
    [
      "whose files are gone",
      () => {
        rmSync(served.cert);
        rmSync(served.key);
      },
      "; TLS: the",
    ],
  ];

  test.each(breakages)(
    "%s is told once, after a second look, and changes nothing",
    async (_what, spoil, why) => {
      await watch();
      spoil();
      await passLook();
      expect(lines).toEqual([]);
      for (let count = 0; count < 3; count++) await passLook();
      expect(lines).toEqual([expect.stringContaining(why)]);
      expect(lines[0]).toStartWith("warn: the old certificate stays: TLS: ");
      expect(lines[0]).not.toContain("\n");
      expect(taken).toEqual([]);
    },
  );

  test("is told at once where somebody asked for the look", async () => {
    const { look } = await watch();
    replace("key", makeCertificate(directory, "other"));
    await look();
    await look();
    expect(warnings()).toHaveLength(1);
  });

  test("is told again when it is another, or comes back", async () => {
    const { look } = await watch();
    const [whole, one, two] = [
      makeCertificate(directory, "whole"),
      makeCertificate(directory, "one"),
      makeCertificate(directory, "two"),
    ];
    copyFileSync(served.key, join(directory, "kept.pem"));
    for (const { key } of [one, two]) {
      copyFileSync(key, served.key);
      await look();
    }
    expect(warnings()).toHaveLength(2);
    copyFileSync(join(directory, "kept.pem"), served.key);
    await look();
    replace("key", two);
    await look();
    expect(warnings()).toHaveLength(3);
    replaceBoth(whole);
    await look();
    expect(taken).toHaveLength(1);
  });
});

describe("the end of the certificate that is served", () => {
  const endsAt = () => readCertificate(served, clock.now()).validTo.getTime();

  test("is told once a day in the last third of a month's, and as an error once it is over", async () => {
    await watch();
    clock.set(new Date(endsAt() - 10.5 * DAY));
    await passLook();
    expect(lines).toEqual([]);
    clock.set(new Date(endsAt() - 1.5 * DAY));
    for (let count = 0; count < 3; count++) await passLook();
    expect(lines).toEqual([
      expect.stringMatching(/^warn: the TLS certificate expires at .* was not renewed yet/),
    ]);
    await passLook(DAY);
    await passLook();
    expect(lines).toHaveLength(2);
    await passLook(DAY);
    expect(lines[2]).toMatch(/^error: the TLS certificate expired at .*; renew it$/);
  });

  test("is of no matter any more once it is renewed", () => {
    const remind = createExpiryReminder(log);
    const certificate = readCertificate(served, clock.now());
    const renewed = { ...certificate, validTo: new Date(endsAt() + 60 * DAY) };
    const late = new Date(endsAt() - DAY);
    remind(certificate, late);
    remind(renewed, late);
    expect(lines).toHaveLength(1);
    remind(renewed, new Date(endsAt() + 45 * DAY));
    expect(lines).toHaveLength(1);
    remind(renewed, new Date(endsAt() + 47 * DAY));
    expect(lines).toHaveLength(2);
  });

  test("ends no watch; its signal does", async () => {
    const { ended } = await watch();
    clock.set(new Date(endsAt() + DAY));
    await passLook();
    end.abort();
    await ended;
    expect(clock.sleeping).toBe(0);
  });
});

const flat = (pem: string) => pem.replaceAll(/-----[^-]+-----|\s/g, "");

/** The certificate that a new connection is shown, in base64. */
function shownBy({ port }: URL): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port: Number(port), rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().raw.toString("base64"));
      socket.destroy();
    });
    socket.once("error", reject);
  });
}
