import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { createServer } from "node:net";
import { awaitHealth } from "../../src/deploy/health.ts";
import { FakeClock } from "./fake-clock.ts";

setDefaultTimeout(120_000);

/** What the server answers, one after the other, the last one for ever. */
let answers: (() => Response | Promise<Response>)[] = [];
let server: ReturnType<typeof Bun.serve>;
let asked: { readonly method: string; readonly url: string; readonly port: number | undefined }[] = [];
beforeEach(() => {
  asked = [];
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      asked.push({ method: request.method, url: request.url, port: server.requestIP(request)?.port });
      const [next = () => new Response("")] = answers;
      if (answers.length > 1) answers.shift();
      return next();
    },
  });
});
afterEach(() => server.stop(true));

const url = () => `http://127.0.0.1:${server.port}/health`;
const status = (code: number) => () => new Response("body", { status: code });

async function ask(
  address: string,
  { within = 30_000, clock = new FakeClock(), signal = new AbortController().signal } = {},
) {
  const lines: string[] = [];
  const reason = await awaitHealth({ url: address, within }, clock, {
    onLine: (line) => lines.push(line),
    signal,
  });
  return { reason, lines };
}

test("is well at the first answer of 2xx, and asks no more", async () => {
  answers = [status(204)];
  expect(await ask(url())).toEqual({ reason: null, lines: [`${url()} answered 204`] });
  expect(asked.map(({ method }) => method)).toEqual(["GET"]);
});

test("goes on asking, half a second apart, and tells each change of the answer", async () => {
  answers = [503, 503, 500, 503, 200].map(status);
  const clock = new FakeClock();
  const { reason, lines } = await ask(url(), { clock });
  expect(reason).toBeNull();
  expect(lines).toEqual([503, 500, 503, 200].map((code) => `${url()} answered ${code}`));
  expect(clock.naps).toEqual([500, 500, 500, 500]);
});

test("gives up when its time is over, with the last answer", async () => {
  answers = [status(500), status(503)];
  expect((await ask(url())).reason).toBe(`${url()} answered 503 for 30s`);
});

test("asks on a new connection each time: an old one may lead to what ran before", async () => {
  answers = [503, 503, 200].map(status);
  await ask(url());
  expect(new Set(asked.map(({ port }) => port)).size).toBe(3);
});

test("follows no redirect: only the URL itself counts", async () => {
  answers = [() => Response.redirect(`${url()}/elsewhere`, 302)];
  expect((await ask(url())).reason).toBe(`${url()} answered 302 for 30s`);
  expect(asked.every((each) => each.url === url())).toBe(true);
});

test("says that nobody listens", async () => {
  const address = url();
  await server.stop(true);
  const { reason, lines } = await ask(address);
  expect(reason).toBe(`${address} gave no answer for 30s (connection refused)`);
  expect(lines).toEqual([`${address} gave no answer (connection refused)`]);
});

test("says that the answer takes too long", async () => {
  answers = [() => new Promise(() => {})];
  const clock = { now: () => new Date(performance.timeOrigin + performance.now()), sleep: async () => {} };
  const { reason } = await ask(url(), { within: 50, clock: Object.assign(new FakeClock(), clock) });
  expect(reason).toBe(`${url()} gave no answer for 50ms (it took too long)`);
});

test("tells the answer before, where the last try had no time for one", async () => {
  answers = [status(500), () => new Promise(() => {})];
  // The clock's looks leave the second try a millisecond.
  const { reason, lines } = await ask(url(), { within: 3_001 });
  expect(asked.length).toBe(2);
  expect(reason).toBe(`${url()} answered 500 for 3001ms`);
  expect(lines).toEqual([`${url()} answered 500`]);
});

test("does not read an answer that never ends", async () => {
  const endless = () =>
    new Response(new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1024)) }));
  answers = [endless];
  expect((await ask(url())).reason).toBeNull();
});

test("says that what answers does not speak HTTP", async () => {
  const other = createServer((socket) => socket.end("220 mail.example.com ESMTP\r\n"));
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as { port: number };
  const { reason } = await ask(`http://127.0.0.1:${port}/`);
  expect(reason).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/ gave no answer for 30s \([a-z ]+\)$/);
  other.close();
});

test("never tells user, query and fragment of the URL", async () => {
  answers = [status(500)];
  const address = `http://ada:pass-word@127.0.0.1:${server.port}/health?token=s3cret#fragment`;
  const { reason, lines } = await ask(address);
  expect([reason, ...lines].join("\n")).not.toMatch(/ada|pass-word|s3cret|fragment/);
  expect(asked[0]?.url).toContain("?token=s3cret");
  await server.stop(true);
  const refused = await ask(address);
  expect([refused.reason, ...refused.lines].join("\n")).not.toMatch(/ada|pass-word|s3cret|fragment/);
});

test("ends with the signal, in the middle of a try", async () => {
  const controller = new AbortController();
  answers = [
    () => {
      controller.abort();
      return new Promise<Response>(() => {});
    },
  ];
  const { lines } = await ask(url(), { signal: controller.signal });
  expect(asked.length).toBe(1);
  expect(lines).toEqual([]);
});
