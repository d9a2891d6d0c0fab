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

describe("a push", () => {
  const { after: tip } = ordinary;
  const { after: first } = newBranch;
  for (const [what, payload, event] of [
    ["ordinary", ordinary, { ref: { kind: "branch", name: "main" }, deleted: false, commit: tip }],
    [
      "of a new branch on an existing commit",
      newBranch,
      { ref: { kind: "branch", name: "feature/main" }, deleted: false, commit: first },
    ],
    [
      "of a deleted branch",
      branchDeleted,
      { ref: { kind: "branch", name: "main" }, deleted: true, commit: null },
    ],
    ["of a new tag", tagCreated, { ref: { kind: "tag", name: "main" }, deleted: false, commit: first }],
    [
      "of an annotated tag",
      annotatedTag,
      { ref: { kind: "tag", name: "v1.0.0" }, deleted: false, commit: annotatedTag.head_commit.id },
    ],
    ["of a deleted tag", tagDeleted, { ref: { kind: "tag", name: "v1.0.0" }, deleted: true, commit: null }],
    ["forced back", forced, { ref: { kind: "branch", name: "main" }, deleted: false, commit: forced.after }],
  ] as const) {
    test(`${what} is read as what it says`, async () => {
      const reading = await receive("push", payload);
      expect(reading).toMatchObject({ ok: true, event: { kind: "push", repository: REPOSITORY, ...event } });
    });
  }

  test("of an annotated tag has a commit that is not the tag object", () => {
    expect(annotatedTag.after).not.toBe(annotatedTag.head_commit.id);
  });

  test("that leaves out, nulls or adds what GitHub's schema lets it is accepted", async () => {
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
    expect(await receive("push", lenient)).toMatchObject({ ok: true, event: { kind: "push", commit: tip } });
    expect(await receive("push", { ...lenient, pusher: { name: "x" } })).toMatchObject({ ok: true });
  });

  test("of a tag without a head commit tells no commit", async () => {
    const reading = await receive("push", { ...tagCreated, head_commit: null });
    expect(reading).toMatchObject({ ok: true, event: { deleted: false, commit: null } });
  });

  test("of a SHA-256 repository is accepted, and its 64 zeros are a deletion", async () => {
    const [before, after] = ["a".repeat(64), "b".repeat(64)];
    expect(await receive("push", { ...ordinary, before, after })).toMatchObject({
      ok: true,
      event: { deleted: false, commit: after },
    });
    expect(await receive("push", { ...ordinary, before, after: "0".repeat(64) })).toMatchObject({
      ok: true,
      event: { deleted: true, commit: null },
    });
  });

  test("with zeros in after is a deletion even when it denies it", async () => {
    const reading = await receive("push", { ...ordinary, after: ZERO, deleted: false });
    expect(reading).toMatchObject({ ok: true, event: { deleted: true, commit: null } });
  });

  test("with deleted is a deletion even when after is a commit", async () => {
    const reading = await receive("push", { ...ordinary, deleted: true });
    expect(reading).toMatchObject({ ok: true, event: { deleted: true, commit: null } });
  });

  for (const ref of hostileRefs) {
    test(`of ${JSON.stringify(ref)} is data`, async () => {
      const name = ref.slice("refs/heads/".length);
      const reading = await receive("push", { ...ordinary, ref });
      expect(reading).toMatchObject({ ok: true, event: { kind: "push", ref: { kind: "branch", name } } });
    });
  }

  test.each([
    ["Typo [skip deploy]", true],
    ["[deploy skip]\n\nwith a body", true],
    ["skip deploy", false],
  ])("whose tip says %j tells whether to skip", async (message, skip) => {
    const payload = { ...ordinary, head_commit: { ...ordinary.head_commit, message } };
    expect(await receive("push", payload)).toMatchObject({ ok: true, event: { kind: "push", skip } });
  });
});
