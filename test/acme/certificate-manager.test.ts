import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CertificateError } from "../../src/acme/errors.ts";
import type { CertificatePair } from "../../src/acme/index.ts";
import type { ChallengeStore } from "../../src/domain/host.ts";
import { catchError } from "../providers/catch-error.ts";
import { HAS_PEBBLE } from "../support/pebble.ts";
import { secretOf } from "../support/public.ts";
import { until } from "../support/until.ts";
import { refuse, Site } from "./site.ts";

setDefaultTimeout(120_000);

const NEVER = new AbortController().signal;
const HOUR = 3_600_000;

let site: Site;
beforeAll(() => {
  site = new Site();
});
beforeEach(async () => {
  if (HAS_PEBBLE) await site.clear();
});
afterAll(() => site.dispose());

function namesOf({ cert }: CertificatePair): string | undefined {
  return new X509Certificate(cert).subjectAltName;
}

function serialOf(pair: CertificatePair | null): string {
  return pair === null ? "none" : new X509Certificate(pair.cert).serialNumber;
}

function fileNamed(start: string): string {
  const name = readdirSync(site.directory).find((each) => each.startsWith(start));
  return join(site.directory, name ?? "none");
}

function accountUrl(): string {
  return JSON.parse(readFileSync(fileNamed("account"), "utf8")).url;
}

describe.skipIf(!HAS_PEBBLE)("a certificate manager (skipped without the program pebble)", () => {
  test("obtains one certificate for all domains with a chain and a new EC key", async () => {
    const pair = await site.manager({ domains: ["hooks.example.com", "www.example.com"] }).obtain(NEVER);

    expect(namesOf(pair)).toBe("DNS:hooks.example.com, DNS:www.example.com");
    expect(pair.cert.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    const { publicKey } = new X509Certificate(pair.cert);
    expect(publicKey.asymmetricKeyDetails?.namedCurve).toBe("prime256v1");
    expect(pair.validFrom.getTime()).toBeLessThan(pair.validTo.getTime());
  });

  test("answers challenges only for pending tokens", async () => {
    const manager = site.manager();
    const tokens: string[] = [];
    const answer = site.answer;
    site.answer = async (token) => {
      tokens.push(token);
      expect(await manager.answerChallenge(token)).toStartWith(`${token}.`);
      expect(await manager.answerChallenge("another")).toBeNull();
      return answer(token);
    };
    await manager.obtain(NEVER);

    expect(tokens).not.toBeEmpty();
    for (const token of tokens) expect(await manager.answerChallenge(token)).toBeNull();
  });

  test("passes its challenges to other processes, of which the CA asks any", async () => {
    const stored = new Map<string, string>();
    const challenges: ChallengeStore = {
      store: async (token, answer) => void stored.set(token, answer),
      find: async (token) => stored.get(token) ?? null,
      remove: async (token) => void stored.delete(token),
    };
    const ordering = site.manager({}, { challenges });
    // The last one created answers the CA.
    const answering = site.manager({}, { challenges });
    const tokens: string[] = [];
    const { answer } = site;
    site.answer = (token) => {
      tokens.push(token);
      return answer(token);
    };
    expect((await ordering.obtain(NEVER)).validTo.getTime()).toBeGreaterThan(site.clock.now().getTime());
    expect(tokens).not.toBeEmpty();
    expect(stored.size).toBe(0);
    expect(await answering.answerChallenge(tokens[0] ?? "")).toBeNull();
  });

  test("creates an account that is bound to the account of the CA's site, once for each key id", async () => {
    const keys = {
      "kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W",
      "kid-2": "b10lLJs8l1GPIzsLP0s6pMt8O0XVGnfTaCeROxQM0BIt2XrJMDHJZBM5NuQmQJQH",
    };
    const bound = new Site(undefined, keys);
    try {
      await bound.pebble.start();
      expect(await catchError(() => bound.manager().obtain(NEVER))).toBeInstanceOf(CertificateError);
      for (const [keyId, key] of Object.entries(keys)) {
        const pair = await bound.manager({ eab: { keyId, key: secretOf(key) } }).obtain(NEVER);
        expect(namesOf(pair)).toBe("DNS:hooks.example.com");
      }
      const accounts = readdirSync(bound.directory).filter((file) => file.startsWith("account-"));
      expect(accounts).toHaveLength(2);
      const wrong = { keyId: "kid-2", key: secretOf(keys["kid-1"]) };
      rmSync(bound.directory, { recursive: true });
      expect(await catchError(() => bound.manager({ eab: wrong }).obtain(NEVER))).toBeInstanceOf(
        CertificateError,
      );
    } finally {
      await bound.dispose();
    }
  });

  test("stores all files for the owner only and leaves no temporary files", async () => {
    await site.manager().obtain(NEVER);

    expect(statSync(site.directory).mode & 0o777).toBe(0o700);
    const files = readdirSync(site.directory).toSorted();
    expect(files.map((file) => file.replace(/-[0-9a-f]{16}/, ""))).toEqual([
      "account.json",
      "certificate.pem",
    ]);
    expect(files.map((file) => statSync(join(site.directory, file)).mode & 0o777)).toEqual([0o600, 0o600]);
  });

  test("loads the stored certificate after a restart and orders with the same account", async () => {
    expect(site.manager().readStored()).toBeNull();
    const first = await site.manager().obtain(NEVER);
    const account = accountUrl();

    expect(site.manager().readStored()).toEqual(first);
    const second = await site.manager().obtain(NEVER);
    expect(serialOf(second)).not.toBe(serialOf(first));
    expect(accountUrl()).toBe(account);
    expect(site.manager().readStored()).toEqual(second);
  });

  test("ignores the stored certificate for other domains or another directory, but not for another order", async () => {
    const pair = await site.manager({ domains: ["a.example.com", "b.example.com"] }).obtain(NEVER);

    expect(site.manager({ domains: ["b.example.com", "a.example.com"] }).readStored()).toEqual(pair);
    expect(site.manager({ domains: ["a.example.com"] }).readStored()).toBeNull();
    expect(site.manager({ domains: ["a.example.com", "c.example.com"] }).readStored()).toBeNull();
    const directory = "https://other.example.com/dir";
    expect(site.manager({ domains: ["a.example.com", "b.example.com"], directory }).readStored()).toBeNull();
    expect(site.messages("warn")).toEqual([]);
  });

  test("registers another account at another directory", async () => {
    await site.manager().obtain(NEVER);
    const directory = await site.wrapDirectory({}, () => ({}));
    await site.manager({ directory }).obtain(NEVER);

    expect(readdirSync(site.directory).filter((name) => name.startsWith("account"))).toHaveLength(2);
  });

  test("updates the e-mail address of the account", async () => {
    await site.manager({ email: "ada@example.com" }).obtain(NEVER);
    const account = accountUrl();
    await site.manager({ email: "grace@example.com" }).obtain(NEVER);

    expect(accountUrl()).toBe(account);
    expect(JSON.parse(readFileSync(fileNamed("account"), "utf8")).email).toBe("grace@example.com");
  });

  test("ignores an expired stored certificate and logs a warning", async () => {
    const pair = await site.manager().obtain(NEVER);
    site.clock.advance(pair.validTo.getTime() - site.clock.now().getTime() + 1000);

    expect(site.manager().readStored()).toBeNull();
    expect(site.messages("warn")).toHaveLength(1);
    expect(site.messages("warn")).toMatchSnapshot();
  });

  test("orders another certificate when the stored one is truncated, empty or does not match its key", async () => {
    const other = await site.manager({ domains: ["other.example.com"] }).obtain(NEVER);
    rmSync(fileNamed("certificate"));
    const pair = await site.manager().obtain(NEVER);
    const file = fileNamed("certificate");
    const whole = readFileSync(file, "utf8");
    const damages: (() => void)[] = [
      () => truncateSync(file, whole.length - 100),
      () => truncateSync(file, 500),
      () => truncateSync(file, 100),
      () => truncateSync(file, 0),
      () => writeFileSync(file, other.key + pair.cert),
      () => writeFileSync(file, other.key + other.cert),
    ];

    const warnings: string[] = [];
    for (const damage of damages) {
      site.logLines.length = 0;
      writeFileSync(file, whole);
      damage();
      expect(site.manager().readStored()).toBeNull();
      expect(site.messages("warn")).toHaveLength(1);
      warnings.push(...site.messages("warn"));
    }
    expect(warnings).toMatchSnapshot();
    const fresh = await site.manager().obtain(NEVER);
    expect(site.manager().readStored()).toEqual(fresh);
  });

  test("registers another account when the stored one is damaged", async () => {
    await site.manager().obtain(NEVER);
    const account = accountUrl();
    const file = fileNamed("account");
    const whole = readFileSync(file, "utf8");

    const warnings: string[] = [];
    for (const damaged of [whole.slice(0, -20), "", "null", whole.replace("BEGIN PRIVATE KEY", "BEGIN")]) {
      site.logLines.length = 0;
      writeFileSync(file, damaged);
      await site.manager().obtain(NEVER);
      expect(site.messages("warn")).toHaveLength(1);
      warnings.push(...site.messages("warn"));
      expect(accountUrl()).not.toBe(account);
    }
    expect(warnings).toMatchSnapshot();
  });

  test("registers another account when the CA no longer has the stored one", async () => {
    await site.manager({ email: "ada@example.com" }).obtain(NEVER);
    await site.pebble.stop();
    await site.pebble.start();
    const pair = await site.manager({ email: "grace@example.com" }).obtain(NEVER);

    expect(namesOf(pair)).toBe("DNS:hooks.example.com");
    expect(site.messages("warn")).toHaveLength(1);
    expect(site.messages("warn")).toMatchSnapshot();
  });

  test("returns the certificate and logs an error when it cannot be stored", async () => {
    await site.manager().obtain(NEVER);
    const file = fileNamed("certificate");
    rmSync(file);
    // A file cannot replace a directory that is not empty.
    mkdirSync(join(file, "entry"), { recursive: true });
    const pair = await site.manager().obtain(NEVER);

    expect(namesOf(pair)).toBe("DNS:hooks.example.com");
    expect(site.messages("error")).toHaveLength(1);
    expect(site.messages("error")).toMatchSnapshot();
  });
});

describe.skipIf(!HAS_PEBBLE)("the renewal loop (skipped without the program pebble)", () => {
  let stopping: AbortController;
  let pairs: CertificatePair[];
  beforeEach(() => {
    stopping = new AbortController();
    pairs = [];
  });

  const start = (manager = site.manager()) =>
    manager.runRenewals((pair) => pairs.push(pair), stopping.signal);

  test("obtains a certificate and renews it when a third of its lifetime is left", async () => {
    const done = start();
    await until(() => site.clock.sleeping === 1);
    expect(pairs).toHaveLength(1);

    const [first] = pairs;
    if (first === undefined) throw new Error("there is no certificate");
    const life = first.validTo.getTime() - first.validFrom.getTime();
    const due = first.validTo.getTime() - life / 3;
    site.clock.advance(due - HOUR - site.clock.now().getTime());
    await until(() => site.clock.sleeps.length === 2);
    expect(site.clock.sleeps).toEqual([6 * HOUR, HOUR]);
    expect(pairs).toHaveLength(1);
    site.clock.advanceToNext();
    await until(() => pairs.length === 2);
    expect(serialOf(pairs[1] ?? null)).not.toBe(serialOf(first));
    expect(site.manager().readStored()).toEqual(pairs[1] ?? null);
    stopping.abort();
    await done;
  });

  test("does not renew a new certificate", async () => {
    const pair = await site.manager().obtain(NEVER);
    const manager = site.manager();
    const done = start(manager);
    await until(() => site.clock.sleeping === 1);

    expect(pairs).toEqual([]);
    expect(manager.readStored()).toEqual(pair);
    stopping.abort();
    await done;
  });

  test("renews in the window of the renewal information", async () => {
    const requests: string[] = [];
    let window = { start: "2090-01-01T00:00:00Z", end: "2090-01-02T00:00:00Z" };
    const directory = await site.wrapDirectory(
      {
        "/renewal/": (request) => {
          requests.push(new URL(request.url).pathname);
          return Response.json({ suggestedWindow: window });
        },
      },
      (origin) => ({ renewalInfo: `${origin}/renewal` }),
    );
    const done = start(site.manager({ directory }));
    await until(() => site.clock.sleeping === 1);
    expect(pairs).toHaveLength(1);
    expect(requests[0]).toMatch(/^\/renewal\/[\w-]{27}\.[\w-]+$/);

    const now = site.clock.now().getTime();
    const at = (milliseconds: number) => new Date(now + milliseconds).toISOString();
    // Half of the window is over at the next check, six hours later.
    window = { start: at(0), end: at(11.9 * HOUR) };
    site.clock.advanceToNext();
    await until(() => pairs.length > 1);
    stopping.abort();
    await done;
  });

  test("waits an hour between orders and logs a warning when each new certificate is due at once", async () => {
    const suggestedWindow = { start: "2020-01-01T00:00:00Z", end: "2020-01-02T00:00:00Z" };
    const directory = await site.wrapDirectory(
      { "/renewal/": () => Response.json({ suggestedWindow }) },
      (origin) => ({ renewalInfo: `${origin}/renewal` }),
    );
    const done = start(site.manager({ directory }));
    await until(() => site.clock.sleeping === 1);
    expect(pairs).toHaveLength(1);
    site.clock.advanceToNext();
    await until(() => site.clock.sleeps.length === 2);
    expect(pairs).toHaveLength(2);
    expect(site.clock.sleeps).toEqual([HOUR, HOUR]);
    expect(site.messages("warn")).toMatchSnapshot();
    stopping.abort();
    await done;
  });

  test("renews when a third of the lifetime is left if the renewal information is invalid", async () => {
    const directory = await site.wrapDirectory(
      { "/renewal/": () => Response.json({ suggestedWindow: "soon" }) },
      (origin) => ({ renewalInfo: `${origin}/renewal/` }),
    );
    const done = start(site.manager({ directory }));
    await until(() => site.clock.sleeping === 1);

    expect(pairs).toHaveLength(1);
    stopping.abort();
    await done;
  });

  test("waits longer after each failure, logs errors, and recovers", async () => {
    await site.pebble.stop();
    const done = start();
    for (let failures = 1; failures <= 3; failures += 1) {
      await until(() => site.clock.sleeping === 1 && site.clock.sleeps.length === failures);
      if (failures < 3) site.clock.advanceToNext();
    }
    expect(site.clock.sleeps).toEqual([52_500, 105_000, 210_000]);
    expect(site.messages("error")).toHaveLength(3);
    for (const message of site.messages("error")) expect(message).toContain("ECONNREFUSED");
    expect(site.messages("error")).toMatchSnapshot();
    expect(pairs).toEqual([]);

    await site.pebble.start();
    site.clock.advanceToNext();
    await until(() => pairs.length === 1);
    stopping.abort();
    await done;
  });

  test("keeps a valid certificate and waits until the end of a rate limit", async () => {
    let isLimited = false;
    const limit = () => refuse(429, "rateLimited", "too many", { "retry-after": "86400" });
    const directory = await site.wrapDirectory({ "/order": limit }, (origin) =>
      isLimited ? { newOrder: `${origin}/order` } : {},
    );
    const pair = await site.manager({ directory }).obtain(NEVER);
    site.clock.advance(pair.validTo.getTime() - 48 * HOUR - site.clock.now().getTime());
    isLimited = true;
    const manager = site.manager({ directory });
    const done = start(manager);
    await until(() => site.clock.sleeping === 1);

    expect(Math.round((site.clock.sleeps[0] ?? 0) / HOUR)).toBe(24);
    expect(site.messages("warn")).toMatchSnapshot();
    expect(pairs).toEqual([]);
    expect(manager.readStored()).toEqual(pair);
    stopping.abort();
    await done;
  });

  test("ends at once on an abort during an order", async () => {
    const manager = site.manager();
    const reached = Promise.withResolvers<void>();
    site.answer = () => {
      reached.resolve();
      return new Response("wait");
    };
    const done = manager.runRenewals((pair) => pairs.push(pair), stopping.signal);
    await reached.promise;
    stopping.abort();
    await done;

    expect(pairs).toEqual([]);
    expect(site.messages("error")).toEqual([]);
  });
});
