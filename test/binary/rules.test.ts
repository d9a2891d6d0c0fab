import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { SECRET } from "../support/configuration.ts";
import { deliver } from "../support/github.ts";
import { pushBody } from "../support/payloads.ts";
import { words } from "../support/words.ts";
import { Blog } from "./blog.ts";

setDefaultTimeout(120_000);

let blog: Blog;
beforeEach(() => {
  blog = new Blog();
});
afterEach(() => blog[Symbol.asyncDispose]());

const RULES = `events = ["push", "release.published"]
when = 'event == "release" || payload.pusher.name != "renovate[bot]"'
payload_env = { VERSION = "payload.release.tag_name" }
run = ['printf "%s\\n" "event=$HOOKLATCH_EVENT action=$HOOKLATCH_ACTION version=\${VERSION-unset}"', "ls"]
`;

const JOB = `[[target]]
name = "job"
directory = "origin"
events = ["issues"]
run = ["true"]
`;

interface Answer {
  readonly status: string;
  readonly delivery: number;
  readonly deployments?: readonly { readonly id: number; readonly target: string }[];
  readonly reason?: string;
}

async function send(event: string, body: string): Promise<{ code: number; answer: Answer }> {
  const response = await deliver(blog.url, event, body, { secret: SECRET });
  return { code: response.status, answer: (await response.json()) as Answer };
}

const release = (action: string, tag: string) =>
  JSON.stringify({ action, release: { tag_name: tag }, repository: { full_name: "octocat/blog" } });

test("events, when and payload_env decide and reach the commands", async () => {
  blog.repository.commit({ "index.html": "one\n" });
  await blog.serve({ keys: RULES, tables: JOB });
  const push = (name: string, changes = {}) =>
    pushBody({ after: blog.repository.tip, pusher: { name }, ...changes });

  const byPerson = await send("push", push("ada"));
  expect(byPerson).toMatchObject({ code: 202, answer: { status: "ok", deployments: [{ target: "blog" }] } });
  const [first] = byPerson.answer.deployments ?? [];
  expect(await blog.untilEnded(first?.id ?? 0)).toMatchObject({ state: "succeeded" });
  expect(await blog.output(first?.id ?? 0)).toContain("event=push action= version=unset");

  const byBot = await send("push", push("renovate[bot]"));
  expect(byBot).toMatchObject({ code: 200, answer: { status: "skipped" } });
  expect(words(byBot.answer.reason ?? "")).toMatchSnapshot("reason of a push by the bot");
  const shown = await blog.run("delivery", "show", String(byBot.answer.delivery), "--json");
  expect(JSON.parse(shown.stdout).decisions).toMatchObject([
    { target: "blog", deploy: false, code: "when" },
    { target: "job", deploy: false, code: "event" },
  ]);
  const table = await blog.run("delivery", "show", String(byBot.answer.delivery));
  expect(table.stdout).toContain("when is false");

  const tag = `v1"; touch hacked; $(touch hacked) '\n`;
  const published = await send("release", release("published", tag));
  expect(published).toMatchObject({ code: 202, answer: { deployments: [{ target: "blog" }] } });
  const [second] = published.answer.deployments ?? [];
  expect(await blog.untilEnded(second?.id ?? 0)).toMatchObject({ state: "succeeded", pushed_commit: null });
  const output = (await blog.output(second?.id ?? 0)).join("\n");
  expect(output).toContain(`event=release action=published version=${tag.trimEnd()}`);
  expect(output.split("\n")).not.toContain("hacked");

  const created = await send("release", release("created", "v2"));
  expect(created).toMatchObject({ code: 200, answer: { status: "skipped" } });
  const issue = await send("issues", JSON.stringify({ action: "opened", issue: {} }));
  expect(issue).toMatchObject({ code: 202, answer: { deployments: [{ target: "job" }] } });

  const long = await send("release", release("published", "v".repeat(8193)));
  const [third] = long.answer.deployments ?? [];
  expect(await blog.untilEnded(third?.id ?? 0)).toMatchObject({
    state: "failed",
    code: "payload_env_invalid",
    steps: [],
  });
});

test("check --payload explains which rule decides for each target", async () => {
  blog.repository.commit({ "index.html": "one\n" });
  await blog.serve({ keys: RULES, tables: JOB });
  const { workshop } = blog;
  const explain = async (json: string, ...args: readonly string[]) => {
    workshop.write("payload.json", json);
    return workshop.run(["check", "--payload", "payload.json", ...args], { SECRET });
  };
  const outputs = [
    await explain(pushBody({ pusher: { name: "ada" } })),
    await explain(pushBody({ pusher: { name: "renovate[bot]" } })),
    await explain(release("published", "v1\u001b[2J"), "--event", "release"),
    await explain(release("created", "v1"), "--event", "release", "--source", "github"),
    await explain('{"action":"opened"}', "--event", "issues"),
  ];
  expect(outputs.map(({ exitCode, stderr }) => ({ exitCode, stderr }))).toEqual(
    outputs.map(() => ({ exitCode: 0, stderr: "" })),
  );
  expect(outputs.map(({ stdout }) => stdout).join("\n")).not.toContain("\u001b");
  expect(outputs.map(({ stdout }) => stdout.split("\n"))).toMatchSnapshot("explanations");

  const failing = [
    await explain("{", "--event", "issues"),
    await explain("{}", "--event", "push"),
    await explain(release("published", "v".repeat(8193)), "--event", "release"),
  ];
  expect(failing.map(({ exitCode }) => exitCode)).toEqual([1, 1, 1]);
  expect(failing.map(({ stdout }) => stdout.split("\n"))).toMatchSnapshot("failures");
  const wrong = [
    await explain("{}", "--source", "none"),
    await workshop.run(["check", "--payload", "missing.json"], { SECRET }),
    await explain("{}", "--header", "no colon"),
  ];
  expect(wrong.map(({ exitCode }) => exitCode)).toEqual([2, 1, 2]);
  expect(wrong.map(({ stderr }) => words(stderr))).toMatchSnapshot("errors");
  // Nothing was stored or queued.
  expect(JSON.parse((await blog.run("delivery", "list", "--json")).stdout)).toMatchObject({ items: [] });
});

test("a payload that would take long to decide about is stored and not deployed, and others are served", async () => {
  blog.repository.commit({ "index.html": "one\n" });
  await blog.serve({
    keys: "when = 'payload.list.exists(x, payload.list.exists(y, x == y + 1.0)) || payload.text.matches(\"(a+)+$\")'",
  });
  const begun = performance.now();
  const list = Array.from({ length: 200_000 }, () => 0);
  const body = pushBody({ after: blog.repository.tip, list, text: `${"a".repeat(1_000_000)}b` });
  const { code, answer } = await send("push", body);
  expect({ code, status: answer.status }).toEqual({ code: 200, status: "skipped" });
  expect(performance.now() - begun).toBeLessThan(10_000);
  const { decisions } = JSON.parse((await blog.run("delivery", "show", "1", "--json")).stdout);
  expect(decisions).toMatchObject([{ target: "blog", deploy: false, code: "when" }]);
  const next = await send("push", pushBody({ after: blog.repository.tip, list: [0, 1], text: "b" }));
  expect(next.code).toBe(202);
});
