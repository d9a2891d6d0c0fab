import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { Server, Workshop } from "../support/executable.ts";
import { freePort } from "../support/free-port.ts";
import { blocksOf, pageText, ROOT } from "./pages.ts";

setDefaultTimeout(120_000);

const [, section = ""] = pageText("README.md").split("## Quick start\n");
const blocks = blocksOf(section.split("\n## ")[0] ?? "").map(({ code }) => code);
const [setUp = "", deploy = "", lookAround = ""] = blocks;
const SERVE = "hooklatch serve\n";

/** "Change the page, commit, push and send again". */
const AGAIN = `cd work
echo '<h1>Hello again</h1>' > index.html
git commit -am "Second page" && git push origin HEAD:main
cd ..
hooklatch send push
hooklatch deployment log 2 --follow
`;

let workshop: Workshop;
let server: Server | undefined;
let env: Readonly<Record<string, string>>;

beforeEach(() => {
  workshop = new Workshop();
  env = workshop.env({ PORT: String(freePort()), PATH: `${join(ROOT, "dist")}:${process.env.PATH}` });
});
afterEach(async () => {
  await server?.end("SIGKILL");
  await workshop.dispose();
});

function run(script: string, cwd: string): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(["bash", "-euo", "pipefail", "-c", script], {
    cwd,
    env,
  });
  if (exitCode !== 0) throw new Error(`${script}\nexited with ${exitCode}:\n${stdout}${stderr}`);
  return stdout.toString();
}

test("the README's quick start ends with a live push, a second release and a rollback", async () => {
  expect(blocks).toHaveLength(3);
  expect(setUp).toEndWith(SERVE);
  // The default admin port may be in use here.
  const admin = `<<'TOML'\n[admin]\nport = ${freePort()}\n\n`;
  run(setUp.replace(SERVE, "").replace("<<'TOML'\n", admin), workshop.path);
  const directory = join(workshop.path, "quickstart");
  const live = () => readFileSync(join(directory, "site/current/index.html"), "utf8");
  server = new Server(directory, ["serve"], { ...env });
  await server.untilListening();

  const output = run(deploy, directory);
  const [, response = ""] = /^hooklatch send push +# (.*)$/m.exec(deploy) ?? [];
  expect(response).toStartWith("202 ");
  expect(output.replaceAll(/\s+/g, " ")).toContain(response);
  expect(live()).toMatch(/^<h1>Hello<\/h1>\n<p>Built from [0-9a-f]{40}<\/p>\n$/);
  expect(output).toEndWith(live());
  const first = realpathSync(join(directory, "site/current"));

  run(AGAIN, directory);
  expect(live()).toStartWith("<h1>Hello again</h1>\n");
  const second = realpathSync(join(directory, "site/current"));
  expect(second).not.toBe(first);

  expect(run(lookAround, directory)).toContain("blog");
  await server.untilDeployed(3);
  expect(realpathSync(join(directory, "site/current"))).toBe(first);
});
