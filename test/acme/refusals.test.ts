import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { AcmeConnectionError, CertificateError } from "../../src/acme/errors.ts";
import type { CertificateManager } from "../../src/acme/index.ts";
import type { HttpFailure } from "../../src/lib/http-client.ts";
import { freePort } from "../support/free-port.ts";
import { HAS_PEBBLE } from "../support/pebble.ts";
import { words } from "../support/words.ts";
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
  // No failure may leave a certificate behind.
  const files = existsSync(site.directory) ? readdirSync(site.directory) : [];
  expect(files.filter((name) => name.startsWith("certificate"))).toEqual([]);
});

/** Returns the error of a manager that obtains no certificate. */
async function failureOf(manager: CertificateManager, signal = NEVER): Promise<CertificateError> {
  const outcome = await manager.obtain(signal).catch((error: unknown) => error);
  if (!(outcome instanceof CertificateError)) throw new Error(`unexpected outcome: ${outcome}`);
  expect(outcome.code).toBe("failed");
  expect(outcome.message).not.toMatch(/[\n\r]|PRIVATE KEY/);
  return outcome;
}

/** Returns why there was no response. */
function connectionFailureOf({ cause }: CertificateError): HttpFailure {
  if (!(cause instanceof AcmeConnectionError)) throw new Error(`unexpected cause: ${cause}`);
  return cause.failure;
}

/** Returns the name that the system has for the failure. */
function systemCodeOf(error: CertificateError): string {
  const failure = connectionFailureOf(error);
  return "code" in failure ? failure.code : "";
}

/**
 * Replaces what pebble wrote: each `(…: <text of the CA>)`. That text has random tokens and changes with the version of
 * pebble; the tests with `refuse` show it.
 */
function wordsWithoutCaText(message: string): string {
  return words(message.replaceAll(/\(([^():]+): [^()]*\)/g, "($1: <CA>)"));
}

describe.skipIf(!HAS_PEBBLE)("a failed order (skipped without the program pebble)", () => {
  test("names port 80 when the CA cannot connect to it", async () => {
    const closed = new Site(freePort());
    await closed.pebble.start();
    try {
      const { message } = await failureOf(closed.manager());
      expect(message).toContain("port 80");
      expect(message).toContain("hooks.example.com");
      expect(wordsWithoutCaText(message)).toMatchSnapshot();
    } finally {
      await closed.dispose();
    }
  });

  test("names each domain whose challenge was not found, and quotes the CA", async () => {
    const manager = site.manager({ domains: ["a.example.com", "b.example.com"] });
    site.answer = () => new Response("nothing here", { status: 404 });
    const { message } = await failureOf(manager);

    for (const domain of ["a.example.com", "b.example.com"]) {
      expect(message).toContain(`http://${domain}/.well-known/acme-challenge/`);
    }
    expect(message.match(/returned 404\)/g)).toHaveLength(2);
    // The CA validates the domains in any order.
    expect(wordsWithoutCaText(message.replaceAll(/\b[ab]\.example\.com\b/g, "<domain>"))).toMatchSnapshot();
  });

  test("names the domain whose challenge has a wrong answer", async () => {
    const manager = site.manager();
    site.answer = (token) => new Response(`${token}.another account`);

    const { message } = await failureOf(manager);
    expect(message).toContain("http://hooks.example.com/.well-known/acme-challenge/");
    expect(wordsWithoutCaText(message)).toMatchSnapshot();
  });

  // The advice depends on the error type that pebble chooses, so no snapshot has it.
  test("names the domain that has no address, and quotes the CA", async () => {
    const { message } = await failureOf(site.manager({ domains: ["hooks.invalid"] }));
    expect(message).toContain("hooks.invalid");
    expect(message).toMatch(/\([^()]+: [^()]*hooks\.invalid[^()]*\)$/);
  });

  test("explains that HTTP-01 cannot validate a wildcard", async () => {
    const { message } = await failureOf(site.manager({ domains: ["*.example.com"] }));
    expect(message).toContain("*.example.com");
    expect(message).toContain("HTTP-01");
    expect(words(message)).toMatchSnapshot();
  });

  test("names a directory that refuses connections", async () => {
    const port = freePort();
    const { message } = await failureOf(site.manager({ directory: `https://localhost:${port}/dir` }));
    expect(message).toContain(`localhost:${port}`);
    expect(message).toContain("ECONNREFUSED");
    expect(words(message)).toMatchSnapshot();
  });

  test("names a directory whose host name does not resolve", async () => {
    const failure = await failureOf(site.manager({ directory: "https://ca.invalid/dir" }));
    const { message } = failure;
    // Without a network, the resolver reports EAI_AGAIN instead of ENOTFOUND.
    const code = systemCodeOf(failure);
    expect(["ENOTFOUND", "EAI_AGAIN"]).toContain(code);
    expect(message).toContain("ca.invalid");
    expect(message).toContain(code);
    expect(words(message, { [code]: "<code>" })).toMatchSnapshot();
  });

  test("names the setting for private CAs when the certificate of the directory is not trusted", async () => {
    const { message } = await failureOf(site.manager({ ca: null }));
    expect(message).toContain("DEPTH_ZERO_SELF_SIGNED_CERT");
    expect(message).toContain("`ca`");
    expect(words(message)).toMatchSnapshot();
  });

  test("names the setting for private CAs when its file has no valid certificate", async () => {
    const { message } = await failureOf(site.manager({ ca: "-----BEGIN NOTHING-----" }));
    expect(message).toContain("`ca`");
    expect(words(message)).toMatchSnapshot();
  });

  test("reports a directory certificate for another name", async () => {
    const directory = site.pebble.directory.replace("localhost", "[::ffff:127.0.0.1]");
    const { message } = await failureOf(site.manager({ directory }));
    expect(message).toContain("ERR_TLS_CERT_ALTNAME_INVALID");
    expect(words(message, { [`:${new URL(directory).port}`]: ":<port>" })).toMatchSnapshot();
  });

  test("names an address that is not an ACME directory", async () => {
    const origin = site.serve({
      "/page": () => new Response("<html>"),
      "/json": () => Response.json({ newNonce: 1 }),
    });
    const messages: string[] = [];
    for (const path of ["/page", "/json", "/none"]) {
      const { message } = await failureOf(site.manager({ directory: origin + path }));
      expect(message).toContain(origin + path);
      messages.push(words(message));
    }
    const [page, json, none] = messages;
    for (const entry of ["newNonce", "newAccount", "newOrder"]) {
      expect(page).toContain(entry);
      expect(json).toContain(entry);
    }
    expect(none).toContain("404");
    expect(messages).toMatchSnapshot();
  });

  test("times out on a directory that never answers and on one whose answer never ends", async () => {
    const origin = site.serve({
      "/silent": () => new Promise<Response>(() => {}),
      "/endless": () =>
        new Response(new ReadableStream({ pull: (stream) => void stream.enqueue(new Uint8Array([32])) })),
    });
    const silent = await failureOf(site.manager({ directory: `${origin}/silent` }, { timeout: 300 }));
    expect(connectionFailureOf(silent)).toEqual({ kind: "timeout", milliseconds: 300 });
    expect(words(silent.message)).toMatchSnapshot();
    // The time-out or the size limit ends this one, whichever comes first.
    const endless = await failureOf(site.manager({ directory: `${origin}/endless` }, { timeout: 300 }));
    expect(["timeout", "too large"]).toContain(connectionFailureOf(endless).kind);
  });

  test("ends on an abort while the directory does not answer", async () => {
    const requested = Promise.withResolvers<void>();
    const origin = site.serve({
      "/dir": () => {
        requested.resolve();
        return new Promise<Response>(() => {});
      },
    });
    const stopping = new AbortController();
    const failure = failureOf(site.manager({ directory: `${origin}/dir` }), stopping.signal);
    await requested.promise;
    stopping.abort();
    expect(words((await failure).message)).toMatchSnapshot();
  });

  test("reports a network error when the CA disappears during an order", async () => {
    const closing = new Site();
    await closing.pebble.start();
    try {
      const manager = closing.manager();
      closing.answer = () => {
        void closing.pebble.stop();
        return new Response("wait");
      };
      const failure = await failureOf(manager);
      const { message } = failure;
      // The connection is refused or reset, depending on the moment.
      const code = systemCodeOf(failure);
      expect(code).toMatch(/^E\w+$/);
      expect(message).toContain(code);
      expect(words(message, { [code]: "<code>" })).toMatchSnapshot();
    } finally {
      await closing.dispose();
    }
  });
});

/** Errors that pebble does not return by itself, for an order or an account. */
describe.skipIf(!HAS_PEBBLE)("an order that the CA refuses (skipped without the program pebble)", () => {
  const failureWith = async (answer: () => Response) => {
    const directory = await site.wrapDirectory({ "/order": answer }, (origin) => ({
      newOrder: `${origin}/order`,
    }));
    return failureOf(site.manager({ directory }));
  };

  test("reports when a rate limit ends", async () => {
    const { message, retryAt } = await failureWith(() =>
      refuse(429, "rateLimited", "too many certificates (5)\nalready issued", { "retry-after": "3600" }),
    );
    if (retryAt === null) throw new Error("there is no time for the next attempt");
    expect(message).toContain(retryAt.toISOString());
    expect(message).toContain("too many certificates (5) already issued");
    expect(words(message)).toMatchSnapshot();
  });

  test.each([
    ["rejectedIdentifier", ["hooks.example.com"]],
    ["caa", ["hooks.example.com", "CAA"]],
    ["dns", ["hooks.example.com"]],
    ["serverInternal", []],
    ["unauthorized", ["account-*.json"]],
    ["constructor", ["hooks.example.com", "constructor"]],
    ["somethingNew", ["hooks.example.com", "somethingNew"]],
  ])("explains %s and quotes the CA", async (type, mentions) => {
    const { message } = await failureWith(() => refuse(403, type, "because"));
    for (const mention of [...mentions, "because"]) expect(message).toContain(mention);
    expect(words(message)).toMatchSnapshot();
  });

  test("reports the status of a response without a problem document", async () => {
    const { message } = await failureWith(() => new Response("<html>", { status: 502 }));
    expect(message).toContain("502");
    expect(message).not.toContain("<html>");
    expect(words(message)).toMatchSnapshot();
  });

  test("names the domain of a subproblem", async () => {
    const { message } = await failureWith(() =>
      Response.json(
        {
          type: "urn:ietf:params:acme:error:malformed",
          detail: "some identifiers were refused",
          subproblems: [{ type: "x", detail: "y", identifier: { type: "dns", value: "bad.example.com" } }],
        },
        { status: 400 },
      ),
    );
    for (const mention of ["bad.example.com", "malformed"]) expect(message).toContain(mention);
    expect(words(message)).toMatchSnapshot();
  });

  test("names the address of the terms that need agreement", async () => {
    const { message } = await failureWith(() =>
      refuse(403, "userActionRequired", "terms have changed", {
        link: '<https://ca.example.com/terms>; rel="terms-of-service"',
      }),
    );
    expect(message).toContain("https://ca.example.com/terms");
    expect(words(message)).toMatchSnapshot();
  });

  test.each(["externalAccountRequired", "invalidContact"])("explains %s for an account", async (type) => {
    const directory = await site.wrapDirectory({ "/account": () => refuse(403, type, "no") }, (origin) => ({
      newAccount: `${origin}/account`,
    }));
    expect(words((await failureOf(site.manager({ directory }))).message)).toMatchSnapshot();
  });

  test("quotes the CA on one line of visible characters with a maximum length", async () => {
    const detail = `\u001b[31m\u202e${"x".repeat(5000)}`;
    const { message } = await failureWith(() => refuse(400, "malformed", detail));
    expect(message).toContain("[31m\\u202exxx");
    expect(message).not.toContain("\u001b");
    expect(message.length).toBeLessThan(700);
  });
});
