import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeServicePath, findServicePath } from "../../src/doctor/service-path.ts";
import { words } from "../support/words.ts";

setDefaultTimeout(120_000);

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "hooklatch-check-"));
});

afterEach(() => rmSync(root, { recursive: true }));

/** Starts a process with this PATH that has a file open, and writes its number. Resolves when the file is open. */
async function startServer(path: string, file: string) {
  const child = Bun.spawn(["/bin/sh", "-c", `exec 3>'${file}'; echo; read -r line`], {
    env: { PATH: path },
    stdin: "pipe",
    stdout: "pipe",
  });
  await child.stdout.getReader().read();
  writeFileSync(join(root, "hooklatch.pid"), `${child.pid}\n`);
  return { [Symbol.dispose]: () => child.kill(), pid: child.pid };
}

/** Creates a systemctl that prints the properties of the unit and the environment of services. Returns its PATH. */
function systemctl(properties: readonly string[], environment: readonly string[] = []): string {
  mkdirSync(join(root, "bin"));
  const print = (lines: readonly string[]) => lines.map((line) => `echo '${line}'`).join("; ") || ":";
  const script = `#!/bin/sh\ncase $1 in show) ${print(properties)};; *) ${print(environment)};; esac\n`;
  writeFileSync(join(root, "bin/systemctl"), script, { mode: 0o755 });
  return join(root, "bin");
}

const hasProc = process.platform === "linux";

describe("the PATH of the service", () => {
  test.skipIf(!hasProc)("is that of the server that uses the data directory", async () => {
    using server = await startServer("/srv/node/bin:/usr/bin:/bin", join(root, "hooklatch.lock"));
    const found = await findServicePath(root, { PATH: "/usr/bin:/bin" });
    expect(found.path).toBe("/srv/node/bin:/usr/bin:/bin");
    expect(found.owner).toContain(String(server.pid));
    expect(words(describeServicePath(found).text.replace(String(server.pid), "<pid>"))).toMatchSnapshot();
  });

  test.skipIf(!hasProc)("is not that of another process with the number of a killed server", async () => {
    using _ = await startServer("/srv/node/bin:/usr/bin:/bin", join(root, "other"));
    expect((await findServicePath(root, { PATH: "/nowhere" })).path).toBe("/nowhere");
  });

  test.skipIf(!hasProc)("is that of the main process of the unit", async () => {
    using server = await startServer("/opt/bin:/usr/bin:/bin", join(root, "other"));
    const path = systemctl(["LoadState=loaded", `MainPID=${server.pid}`, "Environment="]);
    const found = await findServicePath(root, { PATH: `${path}:/usr/bin:/bin` });
    expect(found.path).toBe("/opt/bin:/usr/bin:/bin");
    expect(found.owner).toContain("hooklatch.service");
  });

  test("is what a unit that does not run sets", async () => {
    const path = systemctl([
      "LoadState=loaded",
      "MainPID=0",
      'Environment=NODE_ENV=x "PATH=/opt/bin:/usr/bin" A=b',
    ]);
    expect(await findServicePath(root, { PATH: `${path}:/usr/bin:/bin` })).toMatchObject({
      path: "/opt/bin:/usr/bin",
      owner: "hooklatch.service",
    });
  });

  test("is that of all services when the unit sets none", async () => {
    const path = systemctl(
      ["LoadState=loaded", "MainPID=0", "Environment="],
      ["LANG=C", "PATH=/usr/local/bin:/usr/bin"],
    );
    expect((await findServicePath(root, { PATH: `${path}:/usr/bin:/bin` })).path).toBe(
      "/usr/local/bin:/usr/bin",
    );
  });

  test.each([
    { what: "is not installed", properties: ["LoadState=not-found", "MainPID=0", "Environment="] },
    { what: "cannot be asked for", properties: ["System has not been booted with systemd"] },
  ])("is that of the shell when the unit $what", async ({ properties }) => {
    const path = `${systemctl(properties)}:/usr/bin:/bin`;
    const found = await findServicePath(root, { PATH: path });
    expect(found.path).toBe(path);
    expect(words(found.owner)).toMatchSnapshot();
  });
});
