import { expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { providers } from "../../src/providers/index.ts";
import { describeProvider, type ProviderSubject } from "./provider.contract.ts";

const SRC = join(import.meta.dirname, "../../src/providers");

test("every directory with a provider is listed once", () => {
  const names = readdirSync(SRC).filter((name) => existsSync(join(SRC, name, "index.ts")));
  expect(providers.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
});

for (const provider of providers) {
  const { subjects } = (await import(`./${provider.name}/subjects.ts`)) as {
    subjects: readonly Omit<ProviderSubject, "provider">[];
  };
  for (const subject of subjects) describeProvider({ provider, ...subject });
}
