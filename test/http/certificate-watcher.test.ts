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
import { openListener } from "../../src/http/server/listen.ts";
import { type Certificate, readCertificate } from "../../src/http/tls/certificate.ts";
import {
  type CertificateWatch,
  createExpiryReminder,
  watchCertificate,
} from "../../src/http/tls/certificate-watcher.ts";
import { AppError } from "../../src/lib/errors.ts";
import type { Log } from "../../src/lib/log.ts";
import { type CertificatePair, makeCertificate, makeExpiredCertificate } from "../support/certificate.ts";
import { TestClock } from "../support/clock.ts";
import { until } from "../support/until.ts";
import { words } from "../support/words.ts";

setDefaultTimeout(120_000);

/** The interval at which the watcher reads the files. */
const INTERVAL = 5_000;
const DAY = 86_400_000;

let directory: string;
let served: CertificatePair;
let clock: TestClock;
let end: AbortController;
let lines: string[];
let applied: Certificate[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "hooklatch-renewal-"));
  served = makeCertificate(directory, "served");
  // Certificates that a test creates later must be valid at this time.
  clock = new TestClock({ start: new Date(Date.now() + 3_600_000).toISOString() });
  end = new AbortController();
  [lines, applied] = [[], []];
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
const levels = () => lines.map((line) => line.slice(0, line.indexOf(":")));
const snapshotOf = (texts: readonly string[]) => texts.map((text) => words(text));

async function watch(
  files: CertificatePair = served,
  onChange: (certificate: Certificate) => Promise<void> = async (certificate) =>
    void applied.push(certificate),
): Promise<CertificateWatch> {
  const first = readCertificate(files, clock.now());
  const started = watchCertificate(files, first, { clock, log, onChange, signal: end.signal });
  await until(() => clock.sleeping === 1);
  return started;
}

/** Advances the clock and waits until the watcher has read the files. */
async function nextCheck(milliseconds = INTERVAL): Promise<void> {
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
  test("is used for new connections after the next check and logged once", async () => {
    const certificate = readCertificate(served, clock.now());
    const handle = async () => new Response("ok");
    const listener = await openListener({ host: "127.0.0.1", port: 0, certificate, maxBody: 1024, handle });
    try {
      await watch(served, listener.renew);
      const renewed = makeCertificate(directory, "renewed");
      replaceBoth(renewed);
      await nextCheck();
      await nextCheck();
      expect(await certificateOf(listener.url)).toBe(flat(readFileSync(renewed.cert, "utf8")));
      expect(levels()).toEqual(["info"]);
      expect(lines[0]).toContain(readCertificate(served, clock.now()).validTo.toISOString());
      expect(snapshotOf(lines)).toMatchSnapshot();
    } finally {
      await listener.stop(0);
    }
  });

  test("is found when a symbolic link changes, as with Certbot", async () => {
    const [first, second] = [join(directory, "1"), join(directory, "2")];
    for (const each of [first, second]) mkdirSync(each);
    makeCertificate(first, "archived");
    const archived = makeCertificate(second, "archived");
    const live = join(directory, "live");
    symlinkSync(first, live);
    await watch({ cert: join(live, "archived-cert.pem"), key: join(live, "archived-key.pem") });
    symlinkSync(second, join(directory, "next"));
    renameSync(join(directory, "next"), live);
    await nextCheck();
    expect(applied.map(({ cert }) => cert)).toEqual([readFileSync(archived.cert, "utf8")]);
  });

  test("is applied at once by a requested check", async () => {
    const { checkNow } = await watch();
    replaceBoth(makeCertificate(directory, "renewed"));
    await Promise.all([checkNow(), checkNow()]);
    expect(applied).toHaveLength(1);
  });

  test("is followed by the next one, also in quick succession", async () => {
    const { checkNow } = await watch();
    for (const name of ["one", "two", "three"]) {
      replaceBoth(makeCertificate(directory, name));
      const checks = Promise.all([checkNow(), nextCheck(), checkNow()]);
      await checks;
    }
    const names = applied.map(({ cert }) => cert);
    expect(names).toEqual(
      ["one", "two", "three"].map((name) => readFileSync(join(directory, `${name}-cert.pem`), "utf8")),
    );
    expect(warnings()).toEqual([]);
  });

  test("is applied without a warning when its files are replaced one after the other", async () => {
    await watch();
    const renewed = makeCertificate(directory, "renewed");
    replace("cert", renewed);
    await nextCheck();
    expect(applied).toEqual([]);
    replace("key", renewed);
    await nextCheck();
    expect(applied).toHaveLength(1);
    expect(warnings()).toEqual([]);
  });

  test("is retried after a failure, with one warning", async () => {
    let isBroken = true;
    await watch(served, async (certificate) => {
      if (isBroken) throw new AppError("failed", "port 443 is in use");
      applied.push(certificate);
    });
    replaceBoth(makeCertificate(directory, "renewed"));
    for (let count = 0; count < 4; count++) await nextCheck();
    expect(levels()).toEqual(["warn"]);
    expect(lines[0]).toContain("port 443 is in use");
    expect(lines).toMatchSnapshot();
    isBroken = false;
    await nextCheck();
    expect(applied).toHaveLength(1);
  });
});

describe("an invalid certificate or key", () => {
  const cases: readonly (readonly [what: string, corrupt: () => void, details: () => readonly string[]])[] = [
    [
      "the key of another certificate",
      () => replace("key", makeCertificate(directory, "other")),
      () => [served.cert, served.key],
    ],
    [
      "an expired certificate",
      () => replaceBoth(makeExpiredCertificate(directory, "late")),
      () => [served.cert, "2020-02-01"],
    ],
    [
      "a truncated certificate",
      () => writeFileSync(served.cert, readFileSync(served.cert, "utf8").slice(0, 300)),
      () => [served.cert],
    ],
    [
      "a truncated chain",
      () => writeFileSync(served.cert, readFileSync(served.cert, "utf8").repeat(2).slice(0, -100)),
      () => [served.cert],
    ],
    ["an empty key", () => writeFileSync(served.key, ""), () => [served.key]],
    [
      "missing files",
      () => {
        rmSync(served.cert);
        rmSync(served.key);
      },
      () => [served.cert, served.key],
    ],
  ];

  test.each(cases)(
    "%s leaves the old certificate in use and logs one warning after the second check",
    async (_what, corrupt, details) => {
      await watch();
      corrupt();
      await nextCheck();
      expect(lines).toEqual([]);
      for (let count = 0; count < 3; count++) await nextCheck();
      expect(levels()).toEqual(["warn"]);
      for (const detail of details()) expect(lines[0]).toContain(detail);
      expect(lines[0]).not.toContain("\n");
      expect(applied).toEqual([]);
      expect(snapshotOf(lines)).toMatchSnapshot();
    },
  );

  test("is logged at once by a requested check", async () => {
    const { checkNow } = await watch();
    replace("key", makeCertificate(directory, "other"));
    await checkNow();
    await checkNow();
    expect(warnings()).toHaveLength(1);
  });

  test("is logged again when it changes or recurs", async () => {
    const { checkNow } = await watch();
    const [whole, one, two] = [
      makeCertificate(directory, "whole"),
      makeCertificate(directory, "one"),
      makeCertificate(directory, "two"),
    ];
    copyFileSync(served.key, join(directory, "saved-key.pem"));
    for (const { key } of [one, two]) {
      copyFileSync(key, served.key);
      await checkNow();
    }
    expect(warnings()).toHaveLength(2);
    copyFileSync(join(directory, "saved-key.pem"), served.key);
    await checkNow();
    replace("key", two);
    await checkNow();
    expect(warnings()).toHaveLength(3);
    replaceBoth(whole);
    await checkNow();
    expect(applied).toHaveLength(1);
  });
});

describe("expiry of the current certificate", () => {
  const expiryTime = () => readCertificate(served, clock.now()).validTo.getTime();

  test("is logged once a day in the last third of its lifetime, and as an error after it has expired", async () => {
    await watch();
    const expiry = expiryTime();
    clock.set(new Date(expiry - 10.5 * DAY));
    await nextCheck();
    expect(lines).toEqual([]);
    clock.set(new Date(expiry - 1.5 * DAY));
    for (let count = 0; count < 3; count++) await nextCheck();
    expect(levels()).toEqual(["warn"]);
    await nextCheck(DAY);
    await nextCheck();
    expect(lines).toHaveLength(2);
    await nextCheck(DAY);
    expect(levels()).toEqual(["warn", "warn", "error"]);
    for (const line of lines) expect(line).toContain(new Date(expiry).toISOString());
    expect(snapshotOf(lines)).toMatchSnapshot();
  });

  test("is not logged after a renewal", () => {
    const remind = createExpiryReminder(log);
    const certificate = readCertificate(served, clock.now());
    const renewed = { ...certificate, validTo: new Date(expiryTime() + 60 * DAY) };
    const late = new Date(expiryTime() - DAY);
    remind(certificate, late);
    remind(renewed, late);
    expect(lines).toHaveLength(1);
    remind(renewed, new Date(expiryTime() + 45 * DAY));
    expect(lines).toHaveLength(1);
    remind(renewed, new Date(expiryTime() + 47 * DAY));
    expect(lines).toHaveLength(2);
  });

  test("does not end the watch, which ends with its signal", async () => {
    const { ended } = await watch();
    clock.set(new Date(expiryTime() + DAY));
    await nextCheck();
    end.abort();
    await ended;
    expect(clock.sleeping).toBe(0);
  });
});

const flat = (pem: string) => pem.replaceAll(/-----[^-]+-----|\s/g, "");

/** Returns the certificate of the server on a new connection, in base64. */
function certificateOf({ port }: URL): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port: Number(port), rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().raw.toString("base64"));
      socket.destroy();
    });
    socket.once("error", reject);
  });
}
