import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Workshop } from "../../support/executable.ts";
import { Shell, TOKEN, writeRequest } from "./shell.ts";

setDefaultTimeout(120_000);

let workshop: Workshop;

beforeEach(() => {
  workshop = new Workshop();
});

afterEach(() => workshop.dispose());

/** Writes files that a runtime, a package manager or a framework might load. Loaded code creates the file `mark`. */
function plantTraps(mark: string): void {
  const trap = `require("node:fs").writeFileSync(${JSON.stringify(mark)}, "");`;
  for (const name of ["preload.ts", "index.ts", "main.ts", "src/main.ts", "node_modules/elysia/index.js"]) {
    workshop.write(name, trap);
  }
  workshop.write(
    "bunfig.toml",
    'preload = ["./preload.ts"]\n[run]\npreload = ["./preload.ts"]\n[test]\npreload = ["./preload.ts"]\n',
  );
  workshop.write(".bunfig.toml", 'preload = ["./preload.ts"]\n');
  for (const name of [".env", ".env.local", ".env.production", ".env.development"]) {
    workshop.write(
      name,
      `TOKEN=planted\nSECRET=planted\nPORT=1\nHOST=::1\nBUN_OPTIONS=--preload ./preload.ts\n`,
    );
  }
  const scripts = { serve: "false", preinstall: "false" };
  workshop.write(
    "package.json",
    JSON.stringify({ name: "elysia", main: "./index.ts", imports: { "#*": "./index.ts" }, scripts }),
  );
  workshop.write("tsconfig.json", '{"compilerOptions":{"paths":{"*":["./preload.ts"]}}}');
  for (const name of ["elysia", "pino-pretty", "prom-client", "smol-toml", "ipaddr.js", "bun:sqlite"]) {
    workshop.write(`node_modules/${name}/package.json`, '{"main":"./index.js"}');
    workshop.write(`node_modules/${name}/index.js`, trap);
  }
}

describe("a hostile working directory", () => {
  test("has no effect on the server", async () => {
    const mark = join(workshop.path, "loaded");
    plantTraps(mark);
    const shell = await Shell.open("", workshop);
    const show = (token: string) =>
      shell.codes(
        writeRequest({ method: "GET", target: `/webhook?verify_token=${encodeURIComponent(token)}` }),
      );
    expect(await show("planted")).toEqual([401]);
    expect(await show(TOKEN)).toEqual([200]);
    await shell.storesOne(async () => expect(await shell.codes(writeRequest())).toEqual([200]));
    expect(await shell.server.end("SIGTERM")).toBe(0);
    expect(existsSync(mark)).toBe(false);
  });

  test.each([
    [["--version"]],
    [["--help"]],
    [["check"]],
    [["send", "ping", "--url", "http://127.0.0.1:1/", "--secret", "env:NONE"]],
  ])("has no effect on the command %p", async (args) => {
    const mark = join(workshop.path, "loaded");
    plantTraps(mark);
    await workshop.run(args);
    expect(existsSync(mark)).toBe(false);
  });
});
