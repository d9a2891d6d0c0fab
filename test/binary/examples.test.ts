import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import definitions from "@octokit/webhooks-examples";
import { SECRET } from "../support/configuration.ts";
import { type Server, Workshop } from "../support/executable.ts";
import { deliver } from "../support/github.ts";

setDefaultTimeout(120_000);

const examples = definitions.flatMap(({ name, examples }) =>
  (examples as readonly unknown[]).map((payload) => ({
    event: name as string,
    json: JSON.stringify(payload),
  })),
);
const supported = examples.filter(({ event }) => event === "ping" || event === "push");
const others = examples.filter(({ event }) => event !== "ping" && event !== "push");

let workshop: Workshop;
let server: Server;

beforeAll(async () => {
  workshop = new Workshop();
  server = await workshop.serve([], { GITHUB_WEBHOOK_SECRET: SECRET, PORT: "0" });
});

afterAll(() => workshop.dispose());

const send = (event: string, json: string, form: boolean) =>
  deliver(new URL("/github-webhook", server.url), event, json, { secret: SECRET, form });

describe("GitHub's published example payloads", () => {
  test.each([false, true])("of pings and pushes are accepted (as a form: %p)", async (form) => {
    expect(supported).toHaveLength(11);
    for (const { event, json } of supported) {
      const response = await send(event, json, form);
      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({ status: event === "ping" ? "pong" : "skipped" });
    }
  });

  test("of other events are skipped with 200", async () => {
    expect(others).toHaveLength(318);
    for (const [index, { event, json }] of others.entries()) {
      const response = await send(event, json, index % 2 === 0);
      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({ status: "skipped", delivery: expect.any(Number) });
    }
  });
});
