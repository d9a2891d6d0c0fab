import { expect, test } from "bun:test";
import { join } from "node:path";
import { PAGES } from "./generate.ts";

test.each(Object.entries(PAGES))("docs/%s is what `bun run docs` writes", async (page, describe) => {
  const committed = await Bun.file(join(import.meta.dir, "../../docs", page)).text();
  expect(committed).toBe(await describe());
});
