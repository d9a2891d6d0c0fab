import { expect, test } from "bun:test";
import { explainPayload } from "../../src/doctor/payload.ts";
import { configOf, makeHome } from "../config/home.ts";
import { TestClock } from "../support/clock.ts";
import { linesOf } from "./results.ts";

const home = makeHome();

const CONFIG = `[[source]]
name = "github"
provider = "github"
path = "/github-webhook"
secrets = ["env:SECRET"]

[[target]]
name = "app"
repository = "octocat/app"
branch = "main"
directory = "/srv/app"
wait_for_ci = true

[[target]]
name = "rel"
repository = "octocat/app"
branch = "main"
directory = "/srv/rel"
events = ["release.published"]

[[target]]
name = "docs"
repository = "octocat/docs"
branch = "main"
directory = "/srv/docs"
`;

test("check --payload gives the reason of targets that the event is not about", () => {
  home.write("hooklatch.toml", CONFIG);
  const config = configOf(home.load({ env: { SECRET: "a secret of the tests, long enough" } }));
  const explain = (event: string, payload: object) => {
    const json = new TextEncoder().encode(
      JSON.stringify({ repository: { full_name: "octocat/app" }, ...payload }),
    );
    return linesOf(explainPayload(config, { json, event, headers: [] }, new TestClock()));
  };
  const release = explain("release", { action: "published", release: { tag_name: "v1" } });
  expect(release.slice(1)).toEqual([
    expect.stringContaining('target app: not deployed (event): event "release" is not a push'),
    expect.stringContaining("target rel: would be deployed"),
    expect.stringContaining('target docs: not deployed (event): event "release" is not a push'),
  ]);
  const push = explain("push", {
    ref: "refs/heads/main",
    before: "0".repeat(40),
    after: "a".repeat(40),
    deleted: false,
  });
  expect(push.at(-1)).toContain('not deployed (repository): repository "octocat/app" is not "octocat/docs"');
  const ping = explain("ping", { zen: "Keep it logically awesome." });
  expect(ping.filter((line) => line.includes("(ping)"))).toHaveLength(3);
});
