import { describe, expect, test } from "bun:test";
import definitions from "@octokit/webhooks-examples";
import { GUID, receive } from "./send.ts";

describe("published GitHub examples", () => {
  const examples = definitions.flatMap(({ name, examples }) =>
    (examples as readonly unknown[]).map((payload, index) => ({ name: name as string, index, payload })),
  );
  const known = examples.filter(({ name }) => name === "push" || name === "ping");
  const others = examples.filter(({ name }) => name !== "push" && name !== "ping");

  test("contain 11 pings and pushes and 318 other events", () => {
    expect([known.length, others.length]).toEqual([11, 318]);
  });

  for (const { name, index, payload } of known) {
    for (const form of [false, true]) {
      test(`${name} example ${index} is read as a ${name} from ${form ? "a form" : "JSON"}`, async () => {
        const json = JSON.stringify(payload);
        const result = await receive(name, payload, form);
        expect(result).toMatchObject({
          kind: "parsed",
          events: [{ kind: name }],
          json,
          identity: { id: GUID },
        });
      });
    }
  }

  for (const form of [false, true]) {
    test(`other events are read by name from ${form ? "forms" : "JSON"}`, async () => {
      const kinds = new Set<string>();
      for (const { name, payload } of others) {
        const result = await receive(name, payload, form);
        expect(result).toMatchObject({ kind: "parsed", events: [{ name }] });
        if (result.kind === "parsed") kinds.add(result.events[0].kind);
      }
      expect(kinds).toEqual(new Set(["other", "ci", "release"]));
    });
  }

  test("pings and pushes are rejected under the name of another event", async () => {
    for (const { name, payload } of known) {
      for (const claimed of ["push", "ping", "issues", "create"]) {
        if (claimed === name) continue;
        expect(await receive(claimed, payload)).toMatchObject({
          kind: "unreadable",
          code: "unexpected_payload",
        });
      }
    }
  });

  test("other events are rejected as pushes and pings", async () => {
    for (const { payload } of others) {
      expect(await receive("push", payload)).toMatchObject({
        kind: "unreadable",
        code: "unexpected_payload",
      });
      expect(await receive("ping", payload)).toMatchObject({
        kind: "unreadable",
        code: "unexpected_payload",
      });
    }
  });
});
