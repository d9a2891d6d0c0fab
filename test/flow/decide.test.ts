import { describe, expect, test } from "bun:test";
import type { Event, PushEvent } from "../../src/domain/event.ts";
import type { Source } from "../../src/domain/source.ts";
import { rememberOutcomes } from "../../src/flow/decide.ts";
import { generic } from "../../src/providers/generic.ts";
import { github } from "../../src/providers/github.ts";
import { targetOf } from "../support/target.ts";

const common = { path: "/hook", print: false, onRedelivery: "run" } as const;
const signed: Source = { ...common, name: "github", provider: "github", dialect: github.open({}) };
const admitting: Source = { ...common, name: "webhook", provider: "generic", dialect: generic.open({}) };

function push(branch: string, commit = "c1"): PushEvent {
  return {
    kind: "push",
    repository: "octocat/blog",
    ref: { kind: "branch", name: branch },
    deleted: false,
    commit,
  };
}

describe("an outcome", () => {
  const targets = [targetOf("blog"), targetOf("docs", { source: "webhook", watch: null })];
  const decide = rememberOutcomes(({ name }) => targets.filter(({ source }) => source === name));

  test("is the very same one for equal events, whatever their commit, and another for others", () => {
    expect(decide(signed, push("main", "c1"))).toBe(decide(signed, push("main", "c2")));
    expect(decide(signed, push("dev"))).not.toBe(decide(signed, push("main")));
    expect(decide(signed, push("dev"))).toMatchObject({ status: "skipped", deploys: false });
    expect(decide(signed, push("main"))).toMatchObject({ status: "ok", deploys: true, reason: null });
  });

  test("is the source's own", () => {
    const hello: Event = { kind: "other", name: "payload" };
    expect(decide(admitting, hello)).toMatchObject({ status: "success", deploys: true });
    expect(decide(signed, hello)).toMatchObject({ status: "skipped", deploys: false });
  });

  test("tells refs apart that have the same name", () => {
    const tag: PushEvent = { ...push("main"), ref: { kind: "tag", name: "main" } };
    expect(decide(signed, tag)).toMatchObject({ reason: 'blog: tag "main" is not branch "main"' });
    expect(decide(signed, { ...push("main"), deleted: true })).toMatchObject({
      reason: 'blog: branch "main" was deleted',
    });
  });

  test("names ten targets and counts the others", () => {
    const many = rememberOutcomes(() => Array.from({ length: 1000 }, (_, at) => targetOf(`target-${at}`)));
    const { reason, decisions } = many(signed, push("dev"));
    expect(decisions).toHaveLength(1000);
    expect(reason?.split("; ")).toHaveLength(11);
    expect(reason).toEndWith("; and 990 other targets");
  });
});
