import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { createServer } from "node:net";
import { DeploymentError } from "../../src/deploy/failure.ts";
import { awaitHealth } from "../../src/deploy/health.ts";
import { words } from "../support/words.ts";
import { createClock } from "./site.ts";

setDefaultTimeout(120_000);

/** The server's responses in order. It repeats the last one. */
let responses: (() => Response | Promise<Response>)[] = [];
let server: ReturnType<typeof Bun.serve>;
let requests: { readonly method: string; readonly url: string; readonly port: number | undefined }[] = [];
beforeEach(() => {
  requests = [];
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      requests.push({ method: request.method, url: request.url, port: server.requestIP(request)?.port });
      const [next = () => new Response("")] = responses;
      if (responses.length > 1) responses.shift();
      return next();
    },
  });
});
afterEach(() => server.stop(true));

const url = () => `http://127.0.0.1:${server.port}/health`;
const status = (code: number) => () => new Response("body", { status: code });

/** Runs a health check. Resolves with its lines and, when it fails, with the reason. */
async function check(
  address: string,
  { within = 30_000, clock = createClock(), signal = new AbortController().signal } = {},
) {
  const lines: string[] = [];
  const io = { onLine: (line: string) => lines.push(line), signal };
  const error = await awaitHealth({ url: address, within }, clock, io).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error === null) return { reason: null, lines };
  if (!(error instanceof DeploymentError)) throw error;
  expect(error.result).toBe("health_check_failed");
  return { reason: error.message, lines };
}

const text = (message: string | null) => words(String(message));

/** The status code in a message. */
const codeIn = (message: string | null) => Number(/\b[2-5]\d\d\b/.exec(String(message))?.[0]);

test("succeeds at the first 2xx response and stops", async () => {
  responses = [status(204)];
  const { reason, lines } = await check(url());
  expect(reason).toBeNull();
  expect(lines.map(codeIn)).toEqual([204]);
  expect(lines.map(text)).toMatchSnapshot();
  expect(requests.map(({ method }) => method)).toEqual(["GET"]);
});

test("tries again every half a second and logs each change of the response", async () => {
  responses = [503, 503, 500, 503, 200].map(status);
  const clock = createClock();
  const { reason, lines } = await check(url(), { clock });
  expect(reason).toBeNull();
  expect(lines.map(codeIn)).toEqual([503, 500, 503, 200]);
  expect(lines.map(text)).toMatchSnapshot();
  expect(clock.skipped).toEqual([500, 500, 500, 500]);
});

test("fails at its timeout with the last response", async () => {
  responses = [status(500), status(503)];
  const { reason } = await check(url());
  expect(codeIn(reason)).toBe(503);
  expect(reason).toContain("30s");
  expect(text(reason)).toMatchSnapshot();
});

test("opens a new connection for each try, because an old one may lead to the previous release", async () => {
  responses = [503, 503, 200].map(status);
  await check(url());
  expect(new Set(requests.map(({ port }) => port)).size).toBe(3);
});

test("follows no redirect", async () => {
  responses = [() => Response.redirect(`${url()}/elsewhere`, 302)];
  const { reason } = await check(url());
  expect(codeIn(reason)).toBe(302);
  expect(text(reason)).toMatchSnapshot();
  expect(requests.every((each) => each.url === url())).toBe(true);
});

test("reports a refused connection", async () => {
  const address = url();
  await server.stop(true);
  const { reason, lines } = await check(address);
  expect(lines).toHaveLength(1);
  expect([reason, ...lines].map(text)).toMatchSnapshot();
});

test("reports a response that takes too long", async () => {
  responses = [() => new Promise(() => {})];
  const { reason } = await check(url(), { within: 50 });
  expect(text(reason)).toMatchSnapshot();
});

test("reports the previous response when the last try has no time for one", async () => {
  responses = [status(500), () => new Promise(() => {})];
  // After the pause of half a second, the second try has no time: it may end before the server gets it.
  const { reason, lines } = await check(url(), { within: 500 });
  expect([reason, ...lines].map(codeIn)).toEqual([500, 500]);
  expect([reason, ...lines].map(text)).toMatchSnapshot();
});

test("does not read a response body that never ends", async () => {
  const endless = () =>
    new Response(new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1024)) }));
  responses = [endless];
  expect((await check(url())).reason).toBeNull();
});

test("reports a server that does not speak HTTP", async () => {
  const other = createServer((socket) => socket.end("220 mail.example.com ESMTP\r\n"));
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as { port: number };
  const { reason } = await check(`http://127.0.0.1:${port}/`);
  expect(reason).toContain(`http://127.0.0.1:${port}/`);
  expect(text(reason)).toMatchSnapshot();
  other.close();
});

test("never reveals the user, query and fragment of the URL", async () => {
  responses = [status(500)];
  const address = `http://ada:pass-word@127.0.0.1:${server.port}/health?token=s3cret#fragment`;
  const { reason, lines } = await check(address);
  expect([reason, ...lines].join("\n")).not.toMatch(/ada|pass-word|s3cret|fragment/);
  expect(requests[0]?.url).toContain("?token=s3cret");
  await server.stop(true);
  const refused = await check(address);
  expect([refused.reason, ...refused.lines].join("\n")).not.toMatch(/ada|pass-word|s3cret|fragment/);
});

test("ends with the signal during a try", async () => {
  const controller = new AbortController();
  responses = [
    () => {
      controller.abort();
      return new Promise<Response>(() => {});
    },
  ];
  const { lines } = await check(url(), { signal: controller.signal });
  expect(requests.length).toBe(1);
  expect(lines).toEqual([]);
});
