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
import { words } from "../support/words.ts";

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

/** Starts the server without waiting until it listens. */
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

/** The log line about an order names the directory of the CA. */
const hasOrdered = ({ log }: Server) => log.some(({ directory }) => directory !== undefined);

/** The certificate that a client receives. */
async function readCertificate({ url }: Server): Promise<X509Certificate> {
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

/** The files that the server stores: an account and a certificate with its key. */
function readFiles(): { readonly name: string; readonly mode: number; readonly text: string }[] {
  const directory = join(workshop.path, "data/acme");
  const names = readdirSync(directory).sort();
  return names.map((name) => {
    const file = join(directory, name);
    return { name, mode: statSync(file).mode & 0o777, text: readFileSync(file, "utf8") };
  });
}

/** The lines of all stored private keys. */
function readKeys(): readonly string[] {
  const keys = readFiles().flatMap(({ text }) =>
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

/** Verifies the served chain with OpenSSL, for the domain and from the CA's intermediate certificate. Returns its output. */
async function verifyChain({ url }: Server): Promise<string> {
  const stored = readFiles().find(({ name }) => name.startsWith("certificate-"));
  const chain = stored?.text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
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

/** Serves the CA's directory at another address, with responses that the test chooses. */
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

/** A directory that does not respond until it is released. */
async function holdDirectory() {
  const { promise, resolve: release } = Promise.withResolvers<void>();
  const { directory, stop } = await wrapDirectory(async (_path, _origin, own) => {
    await promise;
    return Response.json(own);
  });
  return { directory, release, [Symbol.asyncDispose]: stop };
}

/**
 * A directory with renewal information. Requests for it get 404, except the first one after `holdNext`: that one gets its
 * response on `release`, which suggests a renewal an hour ago.
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
  test("orders a certificate at the first start, stores it and serves HTTPS with it", async () => {
    await pebble.start();
    const server = await serve();

    expect(await verifyChain(server)).toContain("Verify return code: 0 (ok)");
    const certificate = await readCertificate(server);
    expect(certificate.subjectAltName).toBe(`DNS:${DOMAIN}`);
    const lines = server.log.filter(
      ({ level, domains, url }) => level === "info" && (domains ?? url) !== undefined,
    );
    expect(lines.at(-1)?.msg).toContain(server.url.href);
    expect(lines.map(({ msg }) => words(String(msg)))).toMatchSnapshot();
    expect(readFiles().map(({ name, mode }) => [name.replace(/-.*/, ""), mode])).toEqual([
      ["account", 0o600],
      ["certificate", 0o600],
    ]);
    const url = new URL("/github-webhook", server.url);
    const sent = await workshop.run(["send", "ping", "--url", url.href, "--secret", SECRET, "--insecure"]);
    expect(sent).toMatchObject({ exitCode: 0, stdout: '200 {"status":"pong","delivery":1}\n' });
    expect(await server.end("SIGTERM")).toBe(0);
    expectNoKeys(server);
  });

  test("serves the stored certificate after a restart without the CA", async () => {
    await pebble.start();
    const first = await serve();
    const { fingerprint256 } = await readCertificate(first);
    await first.end("SIGTERM");
    await pebble.stop();

    const second = await serve();
    expect((await readCertificate(second)).fingerprint256).toBe(fingerprint256);
    expect(hasOrdered(second)).toBe(false);
    expectNoKeys(second);
  });

  test("redirects browsers and rejects deliveries on the plain HTTP port", async () => {
    await pebble.start();
    const server = await serve();

    // A raw request, because a client library would normalise the path.
    const browser = new RawConnection(new URL(plainUrl("/")));
    browser.send("GET //evil.example/x?y=z HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    const [answer] = await browser.untilAnswered();
    expect(answer?.status).toBe(308);
    expect(answer?.headers.get("location")).toBe(`https://${DOMAIN}:${server.url.port}//evil.example/x?y=z`);
    const sender = await deliver(plainUrl("/github-webhook"), "ping", pingBody(), { secret: SECRET });
    expect(sender.status).toBe(403);
    const { status, reason } = (await sender.json()) as { status: string; reason: string };
    expect(status).toBe("https required");
    expect(reason).toContain(`https://${DOMAIN}:${server.url.port}/github-webhook`);
    expect(words(reason, { [server.url.port]: "<port>" })).toMatchSnapshot();
    expect((await fetch(plainUrl("/.well-known/acme-challenge/x"))).status).toBe(404);

    const url = new URL("/github-webhook", server.url);
    const sent = await workshop.run(["send", "ping", "--url", url.href, "--secret", SECRET, "--insecure"]);
    expect(sent.stdout).toBe('200 {"status":"pong","delivery":1}\n');
  });

  test("serves a renewed certificate without a restart", async () => {
    await pebble.start();
    await using renewal = await holdRenewal();
    // The server keeps a new certificate for at least an hour, but not across a restart.
    await (await serve(renewal.directory)).end("SIGTERM");
    renewal.holdNext();
    const server = await serve(renewal.directory);
    const old = await readCertificate(server);
    renewal.release();

    let renewed = await readCertificate(server);
    while (renewed.fingerprint256 === old.fingerprint256) renewed = await readCertificate(server);
    expect(renewed.subjectAltName).toBe(`DNS:${DOMAIN}`);
    expect(await verifyChain(server)).toContain("Verify return code: 0 (ok)");
    expect(server.log.filter(({ domains, expires_at }) => domains && expires_at)).toHaveLength(1);
    expectNoKeys(server);

    // The renewed certificate is stored: the next start serves it.
    await server.end("SIGTERM");
    const next = await serve(renewal.directory);
    expect((await readCertificate(next)).fingerprint256).toBe(renewed.fingerprint256);
  });
});

describe.skipIf(!HAS_PEBBLE)("automatic HTTPS while the CA is unavailable at the first start", () => {
  const findFailure = ({ log }: Server) => log.find(({ next_attempt }) => next_attempt !== undefined);

  test("keeps running, logs the reason and exits on SIGTERM", async () => {
    const server = start();
    await server.until(() => findFailure(server) !== undefined);
    const failure = findFailure(server);
    expect(failure).toMatchObject({ level: "error", domains: [DOMAIN] });
    expect(failure?.msg).toContain(DOMAIN);
    expect(failure?.msg).toContain(new URL(pebble.directory).host);
    expect(failure?.msg).toContain("ECONNREFUSED");
    expect(words(String(failure?.msg))).toMatchSnapshot();
    const sender = await deliver(plainUrl("/github-webhook"), "ping", pingBody(), { secret: SECRET });
    expect(sender.status).toBe(403);
    const check = await workshop.run(["check", "-c", join(workshop.path, "hooklatch.toml")], { SECRET });
    const ports = check.stdout.split("\n").filter((line) => /^\w+ +(?:http_)?port \d/.test(line));
    expect(ports).toEqual([
      expect.stringMatching(/^warn port /),
      expect.stringMatching(new RegExp(`^ok {3}http_port ${pebble.httpPort}\\b`)),
    ]);
    expect(ports.map((line) => words(line, { [pebble.httpPort]: "<port>" }))).toMatchSnapshot();
    expect(await server.end("SIGTERM")).toBe(0);
    expect(server.log.some(({ url }) => String(url).startsWith("https:"))).toBe(false);
  });

  test("reloads the configuration after SIGHUP as soon as the server listens", async () => {
    await pebble.start();
    await using ca = await holdDirectory();
    const server = start(ca.directory);
    await server.until(() => hasOrdered(server));
    const before = server.log.length;
    process.kill(server.pid, "SIGHUP");
    await server.until(() => server.log.length > before);
    expect(server.log[before]?.msg).toMatchSnapshot();
    ca.release();
    // The log line about a reload counts the targets, and so does the one about listening, which has a URL.
    await server.until(() =>
      server.log.some(({ targets, url }) => targets !== undefined && url === undefined),
    );
    expect(await server.end("SIGTERM")).toBe(0);
  });

  // The first retry is up to a minute after the failure.
  test.skipIf(!isLong)("serves HTTPS once the CA is available", async () => {
    const server = start();
    await server.until(() => findFailure(server) !== undefined);
    await pebble.start();
    await server.untilListening();
    expect(server.url.protocol).toBe("https:");
    expect(await verifyChain(server)).toContain("Verify return code: 0 (ok)");
    expectNoKeys(server);
  });
});
