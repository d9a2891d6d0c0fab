import { afterEach, describe, expect, test } from "bun:test";
import { findRangesProblem } from "../../../src/domain/published-ranges.ts";
import { AppError } from "../../../src/lib/errors.ts";
import { BUILT_IN_RANGES, fetchPublishedRanges } from "../../../src/providers/github/published-ranges.ts";
import { words } from "../../support/words.ts";

let server: Bun.Server<undefined> | undefined;
afterEach(async () => server?.stop(true));

/** Starts a local server and returns its URL. */
function publish(respond: (request: Request) => Response | Promise<Response>): string {
  server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: respond });
  return new URL("/meta", server.url).href;
}

/** Returns the message of the error that the fetch rejects with, which must be a `failed` one. */
async function failureOf(fetching: Promise<unknown>): Promise<string> {
  try {
    await fetching;
  } catch (error) {
    if (error instanceof AppError && error.code === "failed") return error.message;
  }
  throw new Error("the fetch did not fail as expected");
}

describe("fetchPublishedRanges", () => {
  test("returns the ranges under `hooks` and ignores other keys", async () => {
    const ranges = ["192.30.252.0/22", "2606:50c0::/32", "192.0.2.1"];
    let agent: string | null = null;
    const url = publish((request) => {
      agent = request.headers.get("user-agent");
      return Response.json({ verifiable_password_authentication: false, hooks: ranges, web: ["10.0.0.0/8"] });
    });
    expect(await fetchPublishedRanges(url)).toEqual(ranges);
    // GitHub rejects requests without a User-Agent.
    expect(String(agent)).toBe("hooklatch");
  });

  test.each([
    ["an error status", () => new Response("rate limited", { status: 403 }), ["403"]],
    ["a redirect", () => Response.redirect("https://api.github.com/meta", 302), []],
    ["a response that is not JSON", () => new Response("<html>"), []],
    ["a response that is not UTF-8", () => new Response(Uint8Array.of(0x22, 0xff, 0x22)), []],
    ["a response without `hooks`", () => Response.json({ web: [] }), ["hooks"]],
    ["a list of numbers", () => Response.json({ hooks: [1] }), ["hooks"]],
    ["null", () => Response.json(null), ["hooks"]],
    ["a host name", () => Response.json({ hooks: ["192.0.2.1", "github.com"] }), ["github.com"]],
    ["a response over 1 MiB", () => new Response(new Uint8Array(1024 * 1024 + 1)), ["1 MiB"]],
  ])("fails on %s and names the server", async (_what, respond, details) => {
    const url = publish(respond);
    const failure = await failureOf(fetchPublishedRanges(url));
    for (const detail of [new URL(url).host, ...details]) expect(failure).toContain(detail);
    expect(words(failure)).toMatchSnapshot();
  });

  test("cancels an endless response at the size limit", async () => {
    const { promise: cancelled, resolve } = Promise.withResolvers<void>();
    const body = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024)),
      cancel: () => resolve(),
    });
    const failure = await failureOf(fetchPublishedRanges(publish(() => new Response(body))));
    expect(words(failure)).toMatchSnapshot();
    await cancelled;
  });

  test("fails when the server does not respond in time or is not running", async () => {
    const silent = publish(() => new Promise(() => {}));
    const late = await failureOf(fetchPublishedRanges(silent, { timeout: 20 }));
    await server?.stop(true);
    const unreachable = await failureOf(fetchPublishedRanges(silent));
    expect([late, unreachable].map((failure) => words(failure))).toMatchSnapshot();
  });

  test("fails when its signal aborts", async () => {
    const abort = new AbortController();
    const url = publish(() => {
      abort.abort();
      return new Promise(() => {});
    });
    const failure = await failureOf(fetchPublishedRanges(url, { signal: abort.signal }));
    expect(failure).toContain(new URL(url).host);
    expect(words(failure)).toMatchSnapshot();
  });
});

describe("built-in hook ranges", () => {
  test("are valid", () => {
    expect(findRangesProblem(BUILT_IN_RANGES.ranges)).toBeNull();
  });
});
