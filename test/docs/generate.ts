import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeApi } from "./api-page.ts";
import { describeCommandLine } from "./cli-page.ts";
import { describeConfiguration } from "./configuration-page.ts";

/** The pages of docs/ that are generated. `bun run docs` writes them, and generated.test.ts compares them. */
export const PAGES: Readonly<Record<string, () => string | Promise<string>>> = {
  "api.md": () => describeApi(),
  "cli.md": describeCommandLine,
  "configuration.md": describeConfiguration,
};

if (import.meta.main) {
  for (const [page, describe] of Object.entries(PAGES)) {
    writeFileSync(join(import.meta.dir, "../../docs", page), await describe());
  }
}
