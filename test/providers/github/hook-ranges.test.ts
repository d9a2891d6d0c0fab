import { afterEach, describe, expect, test } from "bun:test";
import { Fault } from "../../../src/domain/fault.ts";
import { findFlaw } from "../../../src/domain/published-ranges.ts";
import { BUILT_IN_HOOK_RANGES, fetchHookRanges } from "../../../src/providers/github/hook-ranges.ts";

let server: Bun.Server<undefined> | undefined;
afterEach(async () => server?.stop(true));

/** Publishes on this machine. Gives the URL. */
function publish(answer: (request: Request) => Response | Promise<Response>): string {
  server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer });
  return new URL("/meta", server.url).href;
}

/** What it says of itself when it fails. */
async function failureOf(fetching: Promise<unknown>): Promise<string> {
  try {
    await fetching;
  } catch (error) {
    if (error instanceof Fault && error.code === "failed") return error.message;
  }
  throw new Error("it did not fail as it should");
}

describe("fetchHookRanges", () => {
  test("gives the ranges under `hooks`, whatever else there is", async () => {
    const ranges = ["192.30.252.0/22", "2606:50c0::/32", "192.0.2.1"];
    let agent: string | null = null;
    const url = publish((request) => {
      agent = request.headers.get("user-agent");
      return Response.json({ verifiable_password_authentication: false, hooks: ranges, web: ["10.0.0.0/8"] });
    });
    expect(await fetchHookRanges(url)).toEqual(ranges);
    // GitHub refuses requests without one.
    expect(String(agent)).toBe("hooklatch");
  });

  test.each([
    ["an error", () => new Response("rate limited", { status: 403 }), "answered 403"],
    ["a redirect", () => Response.redirect("https://api.github.com/meta", 302), "cannot be asked ("],
    ["no JSON", () => new Response("<html>"), "answered something that is not JSON"],
    ["bytes that are no text", () => new Response(Uint8Array.of(0x22, 0xff, 0x22)), "that is not JSON"],
    ["no list", () => Response.json({ web: [] }), 'without a list of ranges under "hooks"'],
    ["numbers", () => Response.json({ hooks: [1] }), 'without a list of ranges under "hooks"'],
    ["null", () => Response.json(null), 'without a list of ranges under "hooks"'],
    [
      "a name",
      () => Response.json({ hooks: ["192.0.2.1", "github.com"] }),
      'lists "github.com", which is no',
    ],
    ["too much", () => new Response(new Uint8Array(1024 * 1024 + 1)), "answered with more than 1 MiB"],
  ])("fails with the reason when it gets %s", async (_what, answer, reason) => {
    const url = publish(answer);
    const failure = await failureOf(fetchHookRanges(url));
    expect(failure).toStartWith(`GitHub's hook ranges cannot be had: ${new URL(url).host} `);
    expect(failure).toContain(reason);
  });

  test("ends an answer without end when it is too much", async () => {
    const { promise: cancelled, resolve } = Promise.withResolvers<void>();
    const body = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024)),
      cancel: () => resolve(),
    });
    const failure = await failureOf(fetchHookRanges(publish(() => new Response(body))));
    expect(failure).toContain("answered with more than 1 MiB");
    await cancelled;
  });

  test("fails when there is no answer in time, or nobody there", async () => {
    const silent = publish(() => new Promise(() => {}));
    expect(await failureOf(fetchHookRanges(silent, { timeout: 20 }))).toContain("gave no answer in time");
    await server?.stop(true);
    expect(await failureOf(fetchHookRanges(silent))).toContain("cannot be asked (");
  });

  test("ends when it is told to", async () => {
    const ending = new AbortController();
    const fetching = fetchHookRanges(
      publish(() => {
        ending.abort();
        return new Promise(() => {});
      }),
      { signal: ending.signal },
    );
    expect(await failureOf(fetching)).toContain("cannot be asked (AbortError)");
  });
});

describe("the built-in ranges", () => {
  test("could have been published", () => {
    expect(findFlaw(BUILT_IN_HOOK_RANGES.ranges)).toBeNull();
  });
});
