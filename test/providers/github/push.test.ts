import { describe, expect, test } from "bun:test";
import branchDeleted from "../../fixtures/github/push-branch-deleted.json";
import forced from "../../fixtures/github/push-forced.json";
import newBranch from "../../fixtures/github/push-new-branch.json";
import ordinary from "../../fixtures/github/push-ordinary.json";
import annotatedTag from "../../fixtures/github/push-tag-annotated.json";
import tagCreated from "../../fixtures/github/push-tag-created.json";
import tagDeleted from "../../fixtures/github/push-tag-deleted.json";
import hostileRefs from "../../fixtures/github/refs.json";
import { receive } from "./send.ts";

const ZERO = "0".repeat(40);
const REPOSITORY = "Codertocat/Hello-World";

describe("GitHub push", () => {
  const { after: tip } = ordinary;
  const { after: first } = newBranch;
  for (const [what, payload, event] of [
    ["an ordinary push", ordinary, { ref: { kind: "branch", name: "main" }, deleted: false, commit: tip }],
    [
      "a new branch on an existing commit",
      newBranch,
      { ref: { kind: "branch", name: "feature/main" }, deleted: false, commit: first },
    ],
    [
      "a deleted branch",
      branchDeleted,
      { ref: { kind: "branch", name: "main" }, deleted: true, commit: null },
    ],
    ["a new tag", tagCreated, { ref: { kind: "tag", name: "main" }, deleted: false, commit: first }],
    [
      "an annotated tag",
      annotatedTag,
      { ref: { kind: "tag", name: "v1.0.0" }, deleted: false, commit: annotatedTag.head_commit.id },
    ],
    ["a deleted tag", tagDeleted, { ref: { kind: "tag", name: "v1.0.0" }, deleted: true, commit: null }],
    [
      "a forced push",
      forced,
      { ref: { kind: "branch", name: "main" }, deleted: false, commit: forced.after },
    ],
  ] as const) {
    test(`reads ${what}`, async () => {
      const result = await receive("push", payload);
      expect(result).toMatchObject({
        kind: "parsed",
        events: [{ kind: "push", repository: REPOSITORY, ...event }],
      });
    });
  }

  test("the annotated tag fixture has a tag object that is not the commit", () => {
    expect(annotatedTag.after).not.toBe(annotatedTag.head_commit.id);
  });

  test.each([
    ["/ref", { ref: `refs/heads/${"x".repeat(5000)}` }],
    ["/repository/full_name", { repository: { ...ordinary.repository, full_name: "x".repeat(1025) } }],
  ])("rejects a longer %s than a forge allows", async (field, change) => {
    const result = await receive("push", { ...ordinary, ...change });
    expect(result).toMatchObject({ kind: "unreadable", code: "unexpected_payload" });
    expect(result.kind === "unreadable" && result.reason).toContain(field);
    expect(JSON.stringify(result)).not.toContain("xxx");
  });

  test.each([
    ["has only what a decision needs", {}],
    ["has null for the paths of a commit", { commits: [{ ...ordinary.commits[0], added: null }] }],
  ])("accepts a push of another forge that %s", async (_what, more) => {
    const { ref, before, after } = ordinary;
    const payload = { ref, before, after, repository: { full_name: REPOSITORY }, ...more };
    expect(await receive("push", payload)).toMatchObject({
      kind: "parsed",
      events: [{ kind: "push", repository: REPOSITORY, deleted: false, commit: after }],
    });
    expect(await receive("push", { ...payload, after: ZERO })).toMatchObject({
      events: [{ deleted: true, commit: null, unchanged: false }],
    });
  });

  test("reads a push without a commit as the test of Gitea", async () => {
    expect(await receive("push", { ...ordinary, before: ZERO, after: ZERO })).toMatchObject({
      kind: "parsed",
      events: [{ kind: "push", unchanged: true }],
    });
  });

  test("reads a push whose before and after are the same commit as a push", async () => {
    expect(await receive("push", { ...ordinary, before: ordinary.after })).toMatchObject({
      events: [{ kind: "push", commit: ordinary.after, unchanged: false }],
    });
  });

  test("accepts optional fields that are missing, null or unknown", async () => {
    const { sender: _, ...anonymous } = ordinary;
    const [commit] = ordinary.commits;
    const lenient = {
      ...anonymous,
      head_commit: null,
      commits: [{ ...commit, author: { name: "A", email: null }, committer: { name: "A", email: null } }],
      pusher: { name: "deploy key", email: null },
      repository: {
        ...ordinary.repository,
        owner: null,
        created_at: "2026-01-01T00:00:00Z",
        pushed_at: null,
      },
      enterprise: { id: 1, slug: "octo" },
      something_new: { deeply: [{ nested: true }] },
    };
    expect(await receive("push", lenient)).toMatchObject({
      kind: "parsed",
      events: [{ kind: "push", commit: tip }],
    });
    expect(await receive("push", { ...lenient, pusher: { name: "x" } })).toMatchObject({ kind: "parsed" });
  });

  test("returns no commit for a tag without a head commit", async () => {
    const result = await receive("push", { ...tagCreated, head_commit: null });
    expect(result).toMatchObject({ kind: "parsed", events: [{ deleted: false, commit: null }] });
  });

  test("accepts SHA-256 commits and reads 64 zeros as a deletion", async () => {
    const [before, after] = ["a".repeat(64), "b".repeat(64)];
    expect(await receive("push", { ...ordinary, before, after })).toMatchObject({
      kind: "parsed",
      events: [{ deleted: false, commit: after }],
    });
    expect(await receive("push", { ...ordinary, before, after: "0".repeat(64) })).toMatchObject({
      kind: "parsed",
      events: [{ deleted: true, commit: null }],
    });
  });

  test("reads zeros in `after` as a deletion even when `deleted` is false", async () => {
    const result = await receive("push", { ...ordinary, after: ZERO, deleted: false });
    expect(result).toMatchObject({ kind: "parsed", events: [{ deleted: true, commit: null }] });
  });

  test("reads `deleted` as a deletion even when `after` is a commit", async () => {
    const result = await receive("push", { ...ordinary, deleted: true });
    expect(result).toMatchObject({ kind: "parsed", events: [{ deleted: true, commit: null }] });
  });

  for (const ref of hostileRefs) {
    test(`returns the name of ${JSON.stringify(ref)} unchanged`, async () => {
      const name = ref.slice("refs/heads/".length);
      const result = await receive("push", { ...ordinary, ref });
      expect(result).toMatchObject({
        kind: "parsed",
        events: [{ kind: "push", ref: { kind: "branch", name } }],
      });
    });
  }

  test.each([
    ["Typo [skip deploy]", true],
    ["[deploy skip]\n\nwith a body", true],
    ["skip deploy", false],
  ])("with the head commit message %j sets `skip` to %j", async (message, skip) => {
    const payload = { ...ordinary, head_commit: { ...ordinary.head_commit, message } };
    expect(await receive("push", payload)).toMatchObject({
      kind: "parsed",
      events: [{ kind: "push", skip }],
    });
  });
});
