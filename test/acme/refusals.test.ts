import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import type { CertificateAgent } from "../../src/acme/agent.ts";
import { CertificateFault } from "../../src/acme/explain.ts";
import { freePort } from "../support/free-port.ts";
import { HAS_PEBBLE } from "../support/pebble.ts";
import { refuse, Site } from "./site.ts";

setDefaultTimeout(120_000);

const NEVER = new AbortController().signal;

let site: Site;
beforeAll(async () => {
  site = new Site();
  if (HAS_PEBBLE) await site.pebble.start();
});
afterAll(() => site.dispose());

afterEach(() => {
  // Whatever went wrong, no certificate was kept.
  const kept = existsSync(site.directory) ? readdirSync(site.directory) : [];
  expect(kept.filter((name) => name.startsWith("certificate"))).toEqual([]);
});

async function failureOf(agent: CertificateAgent, signal = NEVER): Promise<CertificateFault> {
  const outcome = await agent.obtain(signal).catch((error: unknown) => error);
  if (!(outcome instanceof CertificateFault)) throw new Error(`not a fault of ours: ${outcome}`);
  expect(outcome.code).toBe("failed");
  expect(outcome.message).not.toMatch(/[\n\r]|PRIVATE KEY/);
  return outcome;
}

describe.skipIf(!HAS_PEBBLE)("the reason for no certificate (skipped without the program pebble)", () => {
  test("tells to open port 80 when the CA cannot connect to it", async () => {
    const closed = new Site(freePort());
    await closed.pebble.start();
    try {
      const { message } = await failureOf(closed.agent());
      expect(message).toContain(
        "is port 80 of hooks.example.com open, and does its DNS name lead here? (the CA says: ",
      );
    } finally {
      await closed.dispose();
    }
  });

  test("tells that something else answered, and what, when the challenge was not found", async () => {
    const agent = site.agent({ domains: ["a.example.com", "b.example.com"] });
    site.answer = () => new Response("nothing here", { status: 404 });
    const { message } = await failureOf(agent);

    expect(message).toContain(
      "answered for a.example.com: let http://a.example.com/.well-known/acme-challenge/",
    );
    expect(message).toContain(
      "answered for b.example.com: let http://b.example.com/.well-known/acme-challenge/",
    );
    expect(message.match(/returned 404\)/g)).toHaveLength(2);
  });

  test("tells that something else answered when the answer is wrong", async () => {
    const agent = site.agent();
    site.answer = (token) => new Response(`${token}.another account`);

    expect((await failureOf(agent)).message).toContain("something else answered for hooks.example.com");
  });

  test("tells to mend the DNS when the name has no address", async () => {
    const { message } = await failureOf(site.agent({ domains: ["hooks.invalid"] }));
    expect(message).toContain("hooks.invalid");
    expect(message).toContain("the CA says: ");
  });

  test("tells that a wildcard cannot be proved over HTTP", async () => {
    const { message } = await failureOf(site.agent({ domains: ["*.example.com"] }));
    expect(message).toContain("the CA does not let *.example.com be proved over HTTP (HTTP-01)");
  });

  test("names a directory that nobody listens at", async () => {
    const port = freePort();
    const { message } = await failureOf(site.agent({ directory: `https://localhost:${port}/dir` }));
    expect(message).toBe(
      `cannot get a certificate for hooks.example.com from localhost:${port}: it cannot be reached (ECONNREFUSED); check the directory's address and that this machine may connect to localhost:${port}`,
    );
  });

  test("names a directory whose name does not resolve", async () => {
    const { message } = await failureOf(site.agent({ directory: "https://ca.invalid/dir" }));
    expect(message).toContain("from ca.invalid: its name cannot be resolved (");
  });

  test("tells of the setting for private CAs when the directory's certificate is not trusted", async () => {
    const { message } = await failureOf(site.agent({ ca: null }));
    expect(message).toContain(
      "its own certificate is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT); for a private CA, set `ca`",
    );
  });

  test("tells of the file when the private CA's root certificate is none", async () => {
    const { message } = await failureOf(site.agent({ ca: "-----BEGIN NOTHING-----" }));
    expect(message).toContain("TLS with it failed (ERR_BORINGSSL); check the directory's address and");
    expect(message).toEndWith("the file in `ca`");
  });

  test("tells when the directory's certificate is for another name", async () => {
    const directory = site.pebble.directory.replace("localhost", "[::ffff:127.0.0.1]");
    const { message } = await failureOf(site.agent({ directory }));
    expect(message).toContain("its own certificate is for another name (ERR_TLS_CERT_ALTNAME_INVALID)");
  });

  test("tells when there is something else at the directory's address", async () => {
    const origin = site.serve({
      "/page": () => new Response("<html>"),
      "/json": () => Response.json({ newNonce: 1 }),
    });
    expect((await failureOf(site.agent({ directory: `${origin}/page` }))).message).toContain(
      `what is at ${origin}/page is no ACME directory (it has no newNonce, no newAccount, no newOrder)`,
    );
    expect((await failureOf(site.agent({ directory: `${origin}/json` }))).message).toContain(
      "is no ACME directory",
    );
    expect((await failureOf(site.agent({ directory: `${origin}/none` }))).message).toContain(
      `it answered 404 without saying why; is ${origin}/none the address of an ACME directory?`,
    );
  });

  test("gives up a directory that never answers, and one that never ends", async () => {
    const origin = site.serve({
      "/silent": () => new Promise<Response>(() => {}),
      "/endless": () =>
        new Response(new ReadableStream({ pull: (stream) => void stream.enqueue(new Uint8Array([32])) })),
    });
    for (const path of ["/silent", "/endless"]) {
      const { message } = await failureOf(site.agent({ directory: origin + path }, 300));
      expect(message).toMatch(/it gave no answer in time|it cannot be reached/);
    }
  });

  test("ends when it is told to while the directory does not answer", async () => {
    const asked = Promise.withResolvers<void>();
    const origin = site.serve({
      "/dir": () => {
        asked.resolve();
        return new Promise<Response>(() => {});
      },
    });
    const stopping = new AbortController();
    const failure = failureOf(site.agent({ directory: `${origin}/dir` }), stopping.signal);
    await asked.promise;
    stopping.abort();
    expect((await failure).message).toEndWith("it was interrupted");
  });

  test("tells that the network was lost when the CA goes away in the middle", async () => {
    const leaving = new Site();
    await leaving.pebble.start();
    try {
      const agent = leaving.agent();
      leaving.answer = () => {
        void leaving.pebble.stop();
        return new Response("wait");
      };
      expect((await failureOf(agent)).message).toMatch(/: it cannot be reached \(E\w+\); check/);
    } finally {
      await leaving.dispose();
    }
  });
});

/** What pebble does not do by itself: an order, or an account, that a CA refuses. */
describe.skipIf(!HAS_PEBBLE)("a CA's refusal (skipped without the program pebble)", () => {
  const refused = async (answer: () => Response) => {
    const directory = await site.wrapDirectory({ "/order": answer }, (origin) => ({
      newOrder: `${origin}/order`,
    }));
    return failureOf(site.agent({ directory }));
  };

  test("tells after which time a rate limit ends", async () => {
    const { message, retryAt } = await refused(() =>
      refuse(429, "rateLimited", "too many certificates (5)\nalready issued", { "retry-after": "3600" }),
    );
    expect(message).toMatch(
      /a rate limit is reached; try again after \d{4}-\S+Z \(the CA says: too many certificates \(5\) already issued\)$/,
    );
    expect(retryAt).toBeInstanceOf(Date);
  });

  test.each([
    ["rejectedIdentifier", "the CA does not certify hooks.example.com: correct the name"],
    ["caa", "a CAA record in the DNS forbids this CA to certify hooks.example.com"],
    ["dns", "the CA found no address of hooks.example.com"],
    ["serverInternal", "the CA has a fault of its own"],
    ["unauthorized", "the CA refuses the account: move its file, account-*.json"],
    ["constructor", "the CA refused hooks.example.com (constructor) (the CA says: because)"],
    ["somethingNew", "the CA refused hooks.example.com (somethingNew) (the CA says: because)"],
  ])("tells what to do about %s", async (type, expected) => {
    expect((await refused(() => refuse(403, type, "because"))).message).toContain(expected);
  });

  test("tells to try later when the CA is out of order without a word", async () => {
    const { message } = await refused(() => new Response("<html>", { status: 502 }));
    expect(message).toEndWith("it answered 502; try again later");
  });

  test("names the domain that a subproblem is about", async () => {
    const { message } = await refused(() =>
      Response.json(
        {
          type: "urn:ietf:params:acme:error:malformed",
          detail: "some identifiers were refused",
          subproblems: [{ type: "x", detail: "y", identifier: { type: "dns", value: "bad.example.com" } }],
        },
        { status: 400 },
      ),
    );
    expect(message).toContain("the CA refused bad.example.com (malformed)");
  });

  test("tells where the terms are that have to be agreed to", async () => {
    const { message } = await refused(() =>
      refuse(403, "userActionRequired", "terms have changed", {
        link: '<https://ca.example.com/terms>; rel="terms-of-service"',
      }),
    );
    expect(message).toContain(
      "the CA's terms have changed: read and agree to them at https://ca.example.com/terms",
    );
  });

  test.each([
    ["externalAccountRequired", "this CA wants an account made on its site first"],
    ["invalidContact", "the CA does not take the e-mail address"],
  ])("tells what to do when an account is refused with %s", async (type, expected) => {
    const directory = await site.wrapDirectory({ "/account": () => refuse(403, type, "no") }, (origin) => ({
      newAccount: `${origin}/account`,
    }));
    expect((await failureOf(site.agent({ directory }))).message).toContain(expected);
  });

  test("puts what the CA says on one visible line of bounded length", async () => {
    const { message } = await refused(() => refuse(400, "malformed", `\u001b[31m\u202e${"x".repeat(5000)}`));
    expect(message).toContain("(the CA says: [31m\\u202exxx");
    expect(message.length).toBeLessThan(700);
  });
});
