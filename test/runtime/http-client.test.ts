import { afterAll, expect, test } from "bun:test";
import { httpClient } from "../../src/runtime/index.ts";

/** The requests that reached the target of a redirect. */
const followed: string[] = [];
const server: Bun.Server<undefined> = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/target") followed.push(request.headers.get("authorization") ?? "");
    const location = `http://localhost:${server.port}/target`;
    return new Response("moved", { status: Number(searchParams.get("status")), headers: { location } });
  },
});
afterAll(() => server.stop(true));

test.each([301, 302, 303, 307, 308])(
  "the HTTP client returns a redirect %d and does not follow it",
  async (status) => {
    const url = new URL(`/?status=${status}`, server.url);
    const request = { headers: { authorization: "Bearer swordfish" }, timeout: 10_000 };
    for (const method of ["GET", "POST", "DELETE"] as const) {
      const expected = { kind: "response", status };
      expect(await httpClient.request(url, { ...request, method, maxBody: 1024 })).toMatchObject(expected);
      expect(await httpClient.openStream(url, { ...request, method })).toMatchObject(expected);
    }
    expect(followed).toEqual([]);
  },
);
