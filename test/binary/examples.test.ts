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
const told = examples.filter(({ event }) => event === "ping" || event === "push");
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

describe("GitHub's published examples, sent to the executable", () => {
  test.each([false, true])("are accepted where they are pings and pushes, as a form: %p", async (form) => {
    expect(told).toHaveLength(11);
    for (const { event, json } of told) {
      const response = await send(event, json, form);
      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({ status: event === "ping" ? "pong" : "skipped" });
    }
  });

  test("are skipped with 200 where they are anything else", async () => {
    expect(others).toHaveLength(318);
    for (const [index, { event, json }] of others.entries()) {
      const response = await send(event, json, index % 2 === 0);
      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({ status: "skipped", delivery: expect.any(Number) });
    }
  });
});
