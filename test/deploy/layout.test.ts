import { expect, setDefaultTimeout, test } from "bun:test";
import { layouts } from "../../src/deploy/layouts/index.ts";
import { testLayout } from "./layout.contract.ts";

setDefaultTimeout(120_000);

const GIT_DIRECTORIES: Readonly<Record<keyof typeof layouts, string>> = {
  releases: "repo",
  worktree: ".git",
};

for (const [layout, gitDirectory] of Object.entries(GIT_DIRECTORIES)) testLayout(layout, gitDirectory);

test("each layout has the name it is listed under", () => {
  for (const [name, layout] of Object.entries(layouts)) expect(layout.name).toBe(name);
});
