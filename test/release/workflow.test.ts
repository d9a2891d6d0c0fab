import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { ROOT } from "../../.github/release/compile.ts";
import packageJson from "../../package.json";

test("the release workflow publishes what it tested, with provenance, for tags only", () => {
  const workflow = parse(readFileSync(join(ROOT, ".github/workflows/release.yml"), "utf8"));
  expect(workflow.on).toEqual({ push: { tags: ["v*"] } });
  expect(workflow.permissions).toEqual({ contents: "read" });
  const { steps, permissions } = workflow.jobs.release;
  expect(permissions).toEqual({ contents: "write", "id-token": "write", attestations: "write" });
  const commands: readonly string[] = steps.flatMap(({ run }: { run?: string }) => run ?? []);
  const at = (word: string) => {
    const index = commands.findIndex((command) => command.includes(word));
    if (index < 0) throw new Error(`no step has ${word}`);
    return index;
  };
  expect(at("run test:release")).toBeLessThan(at("gh release create"));
  expect(packageJson.scripts["test:release"]).toStartWith("bun run release && ");
  const uses: readonly string[] = steps.flatMap((step: { uses?: string }) => step.uses ?? []);
  expect(uses.filter((action) => !/@([0-9a-f]{40}|v\d+)$/.test(action))).toEqual([]);
  expect(uses.some((action) => action.startsWith("actions/attest-build-provenance@"))).toBe(true);
});
