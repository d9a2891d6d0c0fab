import { describe, expect, test } from "bun:test";
import ordinary from "../fixtures/github/push-ordinary.json";
import { receive } from "../providers/github/send.ts";
import { reasonOf } from "../providers/reason-of.ts";

/**
 * Asserts that the payload is rejected as misshapen, as JSON and as a form, that the reason names exactly these fields,
 * and that it does not repeat a value. Returns the reason.
 */
async function expectMisshapen(event: string, payload: unknown, fields: readonly string[]): Promise<string> {
  const json = JSON.stringify(payload);
  const [reading, fromForm] = [await receive(event, json), await receive(event, json, true)];
  expect(reading).toMatchObject({ kind: "unreadable", code: "unexpected_payload" });
  expect(fromForm).toEqual(reading);
  const reason = reasonOf(reading);
  expect(reason).toContain(event);
  expect([...(reason.match(/(?<=^|\s)\/[\w/]+/g) ?? [])]).toEqual([...fields]);
  expect(reason).not.toContain("s3cret");
  return reason;
}

describe("a misshapen push", () => {
  const { after: _, ...withoutAfter } = ordinary;
  const { full_name: __, ...nameless } = ordinary.repository;
  for (const [what, payload, fields] of [
    ["without `after`", withoutAfter, ["/after"]],
    ["with a number in `after`", { ...ordinary, after: 7 }, ["/after"]],
    ["with text in `after`", { ...ordinary, after: "s3cret" }, ["/after"]],
    ["with upper-case hex in `after`", { ...ordinary, after: ordinary.after.toUpperCase() }, ["/after"]],
    ["with 41 digits in `before`", { ...ordinary, before: "a".repeat(41) }, ["/before"]],
    ["with a short ref", { ...ordinary, ref: "main" }, ["/ref"]],
    ["with an empty ref name", { ...ordinary, ref: "refs/" }, ["/ref"]],
    ["with a newline in the ref", { ...ordinary, ref: "refs/heads/a\nb" }, ["/ref"]],
    ["with a control character in the ref", { ...ordinary, ref: "refs/heads/a\u0001" }, ["/ref"]],
    ["with a lone surrogate in the ref", { ...ordinary, ref: "refs/heads/\ud800" }, ["/ref"]],
    ["with a null ref", { ...ordinary, ref: null }, ["/ref"]],
    ["with text in `deleted`", { ...ordinary, deleted: "true" }, ["/deleted"]],
    ["with null commits", { ...ordinary, commits: null }, ["/commits"]],
    ["with a number for a commit id", { ...ordinary, commits: [{ id: 7 }] }, ["/commits/0/id"]],
    ["with a head commit that is not one", { ...ordinary, head_commit: { id: "HEAD" } }, ["/head_commit"]],
    ["without a repository name", { ...ordinary, repository: nameless }, ["/repository/full_name"]],
    [
      "with a list for a repository name",
      { ...ordinary, repository: { ...nameless, full_name: ["s3cret"] } },
      ["/repository/full_name"],
    ],
    ["with text for a repository", { ...ordinary, repository: "s3cret" }, ["/repository"]],
    ["with a number for a pusher name", { ...ordinary, pusher: { name: 7 } }, ["/pusher/name"]],
    ["with two faults", { ...withoutAfter, deleted: 1 }, ["/after", "/deleted"]],
    ["without any known field", { s3cret: 1 }, ["/ref", "/before", "/after", "/repository"]],
    ["that is a list", [], []],
    ["that is null", null, []],
    ["that is a string", "refs/heads/main", []],
  ] as const) {
    test(`${what} is rejected`, async () => {
      expect(await expectMisshapen("push", payload, fields)).toMatchSnapshot();
    });
  }

  test("with the fields under `__proto__` is rejected", async () => {
    const json = `{"__proto__":${JSON.stringify(ordinary)}}`;
    expect(await receive("push", json)).toMatchObject({ kind: "unreadable", code: "unexpected_payload" });
  });
});

describe("a ping", () => {
  test("from an App or organisation, without repository and sender, is accepted", async () => {
    const ping = { zen: "Hello World", hook_id: 1, hook: { type: "App", id: 1, events: ["*"] } };
    expect(await receive("ping", ping)).toMatchObject({ kind: "parsed", events: [{ kind: "ping" }] });
  });

  for (const ping of [{ zen: "" }, { hook_id: 1 }, { hook: {} }]) {
    test(`with only ${Object.keys(ping)} is accepted`, async () => {
      expect(await receive("ping", ping)).toMatchObject({ kind: "parsed", events: [{ kind: "ping" }] });
    });
  }

  for (const [what, payload, fields] of [
    ["without any field", {}, ["/zen", "/hook_id", "/hook"]],
    [
      "with only fields of a status",
      { state: "success", sha: ordinary.after },
      ["/zen", "/hook_id", "/hook"],
    ],
    ["with a number in `zen`", { zen: 7 }, ["/zen"]],
    ["with text in `hook.events`", { hook: { events: "push" } }, ["/hook/events"]],
    ["that is a list", [], []],
    ["with fields of a push", ordinary, ["/ref", "/before", "/after"]],
    ["with `action`", { action: "opened", zen: "" }, ["/action"]],
  ] as const) {
    test(`${what} is rejected`, async () => {
      expect(await expectMisshapen("ping", payload, fields)).toMatchSnapshot();
    });
  }
});

describe("another event", () => {
  for (const [what, payload, fields] of [
    ["with fields of a push", ordinary, ["/ref", "/before", "/after"]],
    ["with fields of a ping", { zen: "", hook_id: 1, hook: {} }, ["/zen", "/hook_id", "/hook"]],
    ["that is a list", [], []],
    ["that is a number", 7, []],
  ] as const) {
    test(`${what} is rejected`, async () => {
      expect(await expectMisshapen("issues", payload, fields)).toMatchSnapshot();
    });
  }
});
