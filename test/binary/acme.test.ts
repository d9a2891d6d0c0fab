import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { isLong } from "../faults/length.ts";
import { SECRET } from "../support/configuration.ts";
import { Server, Workshop } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";
import { deliver } from "../support/github.ts";
import { pingBody } from "../support/payloads.ts";
import { HAS_PEBBLE, Pebble } from "../support/pebble.ts";
import { RawConnection } from "../support/raw.ts";

setDefaultTimeout(120_000);

const DOMAIN = "hooks.example.com";

let workshop: Workshop;
let pebble: Pebble;
let started: Server[];

beforeEach(() => {
  workshop = new Workshop();
  pebble = new Pebble(join(workshop.path, "pebble"), freePort());
  started = [];
});

afterEach(async () => {
  await Promise.all(started.map((server) => server.end("SIGKILL")));
  await pebble.stop();
  await workshop.dispose();
});

/** Starts the server, which need not listen yet when this returns. */
function start(directory = pebble.directory): Server {
  const config = workshop.write(
    "hooklatch.toml",
    `data_dir = "data"
[server]
host = "127.0.0.1"
port = ${freePort()}
[server.acme]
domains = ["${DOMAIN}"]
directory = "${directory}"
terms_agreed = true
http_port = ${pebble.httpPort}
ca = ${JSON.stringify(pebble.certificate.cert)}
[admin]
port = 0
[[source]]
name = "github"
provider = "github"
path = "/github-webhook"
secrets = ["env:SECRET"]
`,
  );
  const server = new Server(workshop.path, ["serve", "--debug", "-c", config], workshop.env({ SECRET }));
  started.push(server);
  return server;
}

/** Starts the server and waits until it serves HTTPS. */
async function serve(directory = pebble.directory): Promise<Server> {
  const server = start(directory);
  await server.untilListening();
  expect(server.url.protocol).toBe("https:");
  return server;
}

const messages = ({ log }: Server) => log.map(({ msg }) => String(msg));

/** The certificate that a client meets. */
async function meet({ url }: Server): Promise<X509Certificate> {
  const socket = connect({
    host: url.hostname,
    port: Number(url.port),
    servername: DOMAIN,
    rejectUnauthorized: false,
  });
  await once(socket, "secureConnect");
  const { raw } = socket.getPeerCertificate();
  socket.destroy();
  return new X509Certificate(raw);
}

/** What is kept of the CA: an account and a certificate with its key. */
function readKept(): { readonly name: string; readonly mode: number; readonly text: string }[] {
  const directory = join(workshop.path, "data/acme");
  const names = readdirSync(directory).sort();
  return names.map((name) => {
    const file = join(directory, name);
    return { name, mode: statSync(file).mode & 0o777, text: readFileSync(file, "utf8") };
  });
}

/** The lines of every private key that is kept. */
function readKeys(): readonly string[] {
  const keys = readKept().flatMap(({ text }) =>
    Array.from(
      text.replaceAll("\\n", "\n").matchAll(/-----BEGIN [A-Z ]*PRIVATE KEY-----\n([^-]+)\n-----END/g),
      ([, key = ""]) => key.split("\n"),
    ),
  );
  expect(keys).toHaveLength(2);
  return keys.flat();
}

function expectNoKeys({ stdout, stderr }: Server): void {
  const written = stdout + stderr;
  expect(written).not.toContain("PRIVATE KEY");
  expect(readKeys().filter((line) => written.includes(line))).toEqual([]);
}

/** What OpenSSL says of the chain that is served, for the domain and down from the CA's intermediate certificate. */
async function verifyChain({ url }: Server): Promise<string> {
  const kept = readKept().find(({ name }) => name.startsWith("certificate-"));
  const chain = kept?.text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const issuer = workshop.write("issuer.pem", `${chain.at(-1)}\n`);
  expect(new X509Certificate(chain.at(-1) ?? "").subject).toContain("Pebble");
  const trust = ["-CAfile", issuer, "-partial_chain", "-verify_return_error"];
  const openssl = Bun.spawn(
    [
      "openssl",
      "s_client",
      "-connect",
      url.host,
      "-servername",
      DOMAIN,
      "-verify_hostname",
      DOMAIN,
      ...trust,
    ],
    { stdin: "ignore", stdout: "pipe", stderr: "ignore" },
  );
  return new Response(openssl.stdout).text();
}

const plainUrl = (path: string) => `http://127.0.0.1:${pebble.httpPort}${path}`;

/** The CA's directory at another address, where other things may be answered than the CA does. */
async function wrapDirectory(
  answer: (path: string, origin: string, own: object) => Response | Promise<Response>,
) {
  const own = (await (await fetch(pebble.directory, { tls: { ca: pebble.ca } })).json()) as object;
  const { cert, key } = pebble.certificate;
  const proxy = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: { cert: Bun.file(cert), key: Bun.file(key) },
    fetch(request) {
      const { origin, pathname } = new URL(request.url);
      return answer(pathname, origin, own);
    },
  });
  return { directory: `https://localhost:${proxy.port}/dir`, stop: () => proxy.stop(true) };
}

/** It says nothing until it is released. */
async function holdDirectory() {
  const { promise, resolve: release } = Promise.withResolvers<void>();
  const { directory, stop } = await wrapDirectory(async (_path, _origin, own) => {
    await promise;
    return Response.json(own);
  });
  return { directory, release, [Symbol.asyncDispose]: stop };
}

/**
 * It has nothing to say of renewal but to one question, from when it is told to: that is answered when it is released,
 * and the certificate should have been renewed an hour ago.
 */
async function holdRenewal() {
  const { promise, resolve: release } = Promise.withResolvers<void>();
  let isNext = false;
  const anHourAgo = Date.now() - 3_600_000;
  const suggestedWindow = {
    start: new Date(anHourAgo - 1000).toISOString(),
    end: new Date(anHourAgo).toISOString(),
  };
  const { directory, stop } = await wrapDirectory(async (path, origin, own) => {
    if (path === "/dir") return Response.json({ ...own, renewalInfo: `${origin}/renewal` });
    if (!isNext) return new Response(null, { status: 404 });
    isNext = false;
    await promise;
    return Response.json({ suggestedWindow });
  });
  const holdNext = () => {
    isNext = true;
  };
  return { directory, holdNext, release, [Symbol.asyncDispose]: stop };
}

describe.skipIf(!HAS_PEBBLE)("automatic HTTPS", () => {
  test("gets a certificate at the first start, keeps it and serves HTTPS with it", async () => {
    await pebble.start();
    const server = await serve();

    expect(await verifyChain(server)).toContain("Verify return code: 0 (ok)");
    const certificate = await meet(server);
    expect(certificate.subjectAltName).toBe(`DNS:${DOMAIN}`);
    expect(messages(server)).toEqual(
      expect.arrayContaining([
        "ordering a certificate",
        "got a certificate",
        `listening on ${server.url.href}`,
      ]),
    );
    expect(readKept().map(({ name, mode }) => [name.replace(/-.*/, ""), mode])).toEqual([
      ["account", 0o600],
      ["certificate", 0o600],
    ]);
    const url = new URL("/github-webhook", server.url);
    const sent = await workshop.run(["send", "ping", "--url", url.href, "--secret", SECRET, "--insecure"]);
    expect(sent).toMatchObject({ exitCode: 0, stdout: '200 {"status":"pong","delivery":1}\n' });
    expect(await server.end("SIGTERM")).toBe(0);
    expectNoKeys(server);
  });

  test("serves the kept certificate after a restart, without the CA", async () => {
    await pebble.start();
    const first = await serve();
    const { fingerprint256 } = await meet(first);
    await first.end("SIGTERM");
    await pebble.stop();

    const second = await serve();
    expect((await meet(second)).fingerprint256).toBe(fingerprint256);
    expect(messages(second)).not.toContain("ordering a certificate");
    expectNoKeys(second);
  });

  test("answers senders and browsers on the plain port, and takes no delivery there", async () => {
    await pebble.start();
    const server = await serve();

    // As it stands on the wire: a client library would mend the path.
    const browser = new RawConnection(new URL(plainUrl("/")));
    browser.send("GET //evil.example/x?y=z HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    const [answer] = await browser.untilAnswered();
    expect(answer?.status).toBe(308);
    expect(answer?.headers.get("location")).toBe(`https://${DOMAIN}:${server.url.port}//evil.example/x?y=z`);
    const sender = await deliver(plainUrl("/github-webhook"), "ping", pingBody(), { secret: SECRET });
    expect(sender.status).toBe(403);
    expect(await sender.json()).toEqual({
      status: "https required",
      reason: `senders do not follow redirects: configure https://${DOMAIN}:${server.url.port}/github-webhook`,
    });
    expect((await fetch(plainUrl("/.well-known/acme-challenge/x"))).status).toBe(404);

    const url = new URL("/github-webhook", server.url);
    const sent = await workshop.run(["send", "ping", "--url", url.href, "--secret", SECRET, "--insecure"]);
    expect(sent.stdout).toBe('200 {"status":"pong","delivery":1}\n');
  });

  test("takes up a renewed certificate without a restart", async () => {
    await pebble.start();
    await using renewal = await holdRenewal();
    // One that was got in this run would be kept for an hour.
    await (await serve(renewal.directory)).end("SIGTERM");
    renewal.holdNext();
    const server = await serve(renewal.directory);
    const old = await meet(server);
    renewal.release();

    let now = await meet(server);
    while (now.fingerprint256 === old.fingerprint256) now = await meet(server);
    expect(now.subjectAltName).toBe(`DNS:${DOMAIN}`);
    expect(await verifyChain(server)).toContain("Verify return code: 0 (ok)");
    expect(messages(server).filter((message) => message === "got a certificate")).toHaveLength(1);
    expectNoKeys(server);

    // The new one is what the next start has.
    await server.end("SIGTERM");
    const next = await serve(renewal.directory);
    expect((await meet(next)).fingerprint256).toBe(now.fingerprint256);
  });
});

describe.skipIf(!HAS_PEBBLE)("automatic HTTPS without a CA at the first start", () => {
  const waits = ({ log }: Server) => log.some(({ next_attempt }) => next_attempt !== undefined);

  test("stays up, says why and ends at once on SIGTERM", async () => {
    const server = start();
    await server.until(() => waits(server));
    expect(server.log.find(({ next_attempt }) => next_attempt !== undefined)).toMatchObject({
      level: "error",
      domains: [DOMAIN],
      msg: expect.stringMatching(
        /^cannot get a certificate for hooks\.example\.com from localhost:\d+: it cannot be reached \(ECONNREFUSED\)/,
      ),
    });
    const sender = await deliver(plainUrl("/github-webhook"), "ping", pingBody(), { secret: SECRET });
    expect(sender.status).toBe(403);
    const looked = await workshop.run(["check", "-c", join(workshop.path, "hooklatch.toml")], { SECRET });
    expect(looked.stdout).toContain("hooklatch is running and waits for its first certificate");
    expect(looked.stdout).toContain(`ok   http_port ${pebble.httpPort} on 127.0.0.1: hooklatch is running`);
    expect(await server.end("SIGTERM")).toBe(0);
    expect(server.log.some(({ url }) => String(url).startsWith("https:"))).toBe(false);
  });

  test("heeds SIGHUP once it listens, and does not end by it", async () => {
    await pebble.start();
    await using held = await holdDirectory();
    const server = start(held.directory);
    await server.until(() => messages(server).includes("ordering a certificate"));
    process.kill(server.pid, "SIGHUP");
    await server.until(() =>
      messages(server).some((message) => message.includes("is read again as soon as")),
    );
    held.release();
    await server.until(() => messages(server).includes("took over the configuration"));
    expect(await server.end("SIGTERM")).toBe(0);
  });

  // The first pause after a failure is up to a minute.
  test.skipIf(!isLong)("serves HTTPS when the CA is back", async () => {
    const server = start();
    await server.until(() => waits(server));
    await pebble.start();
    await server.untilListening();
    expect(server.url.protocol).toBe("https:");
    expect(await verifyChain(server)).toContain("Verify return code: 0 (ok)");
    expectNoKeys(server);
  });
});
