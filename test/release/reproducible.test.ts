import { afterAll, describe, expect, test } from "bun:test";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../.github/release/compile.ts";
import { findPlatforms, PLATFORMS } from "../../.github/release/platforms.ts";
import { verifyIntegrity } from "../../.github/release/runtimes.ts";
import { IS_LONG } from "./long.ts";

function run(argv: readonly string[], cwd: string, env: Record<string, string> = {}): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...argv], { cwd, env: { ...process.env, ...env } });
  if (exitCode !== 0) throw new Error(`${argv.join(" ")} failed: ${stderr}`);
  return stdout.toString().trim();
}

// images.test.ts builds the executable for this system in another directory. `bun run test:release` has written
// dist/release: all platforms, packages, components and SHA256SUMS.
test.if(IS_LONG)("the same sources in another directory give the same release, bit for bit", () => {
  // In the repository, so that the installed packages can be linked.
  const clone = mkdtempSync(join(ROOT, "dist/clone-"));
  afterAll(() => rmSync(clone, { recursive: true }));
  const names = run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], ROOT).split("\n");
  for (const name of names.filter((each) => existsSync(join(ROOT, each)))) {
    cpSync(join(ROOT, name), join(clone, name));
  }
  run(["cp", "-al", join(ROOT, "node_modules"), clone], ROOT);
  const time = run(["git", "log", "-1", "--format=%ct"], ROOT);
  run([process.execPath, ".github/release/release.ts"], clone, { SOURCE_DATE_EPOCH: time });
  const sums = readFileSync(join(ROOT, "dist/release/SHA256SUMS"), "utf8");
  expect(readFileSync(join(clone, "dist/release/SHA256SUMS"), "utf8")).toBe(sums);
  for (const { name } of PLATFORMS) expect(sums).toContain(`-${name}`);
  run(["sha256sum", "--check", "--strict", "SHA256SUMS"], join(clone, "dist/release"));
  expect(run(["ls", join(clone, "dist/release")], ROOT).split("\n")).toHaveLength(sums.split("\n").length);
});

describe("a release", () => {
  test("refuses a runtime that is not the one in bun.lock", () => {
    const bytes = Buffer.from("bun");
    const integrity = `sha512-${new Bun.CryptoHasher("sha512").update(bytes).digest("base64")}`;
    verifyIntegrity(bytes, integrity, "bun");
    expect(() => verifyIntegrity(Buffer.from("bum"), integrity, "bun")).toThrow("not sha512-");
  });

  test("refuses a platform that it does not know, and names those it knows", () => {
    expect(findPlatforms(["linux-arm64"])).toMatchObject([{ target: "bun-linux-arm64" }]);
    expect(() => findPlatforms(["linux-ppc64"])).toThrow("linux-arm64-musl");
  });
});
