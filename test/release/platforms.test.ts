import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile, ROOT } from "../../.github/release/compile.ts";
import { findPlatforms } from "../../.github/release/platforms.ts";
import { unpackRuntime } from "../../.github/release/runtimes.ts";
import { version } from "../../package.json";
import { GIT_ENV } from "../support/git.ts";
import { IS_LONG } from "./long.ts";
import { canMount } from "./root.ts";

const work = mkdtempSync(join(tmpdir(), "hooklatch-platforms-"));
afterAll(() => rmSync(work, { recursive: true }));

const ARM64_LIBRARIES = "/usr/aarch64-linux-gnu/lib";
const X64_LIBRARIES = "/usr/lib/x86_64-linux-gnu";
const SYSTEMS = join(import.meta.dir, "systems");
const MUSL_ARM64 = join(ROOT, "dist/musl-arm64");

/** A system whose executable this machine can run. */
interface System {
  readonly name: string;
  /** The programs and files that are needed; systems/install.sh installs them. */
  readonly needs: readonly string[];
  /** Whether the quick tests run it too. */
  readonly isQuick: boolean;
  /** Returns the command that runs the executable. */
  prepare(executable: string): readonly string[];
}

const LINUX: readonly System[] = [
  {
    name: "linux-x64",
    needs: [],
    isQuick: false,
    prepare: (executable) => [executable],
  },
  {
    name: "linux-arm64",
    needs: ["qemu-aarch64-static", join(ARM64_LIBRARIES, "libc.so.6")],
    isQuick: true,
    prepare: (executable) => ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu", executable],
  },
  {
    name: "linux-x64-musl",
    needs: ["gcc", "/lib/ld-musl-x86_64.so.1", join(X64_LIBRARIES, "libstdc++.so.6")],
    isQuick: true,
    prepare(executable) {
      const libraries = borrowLibraries("gcc", X64_LIBRARIES, join(work, "x64-libraries"));
      return ["env", `LD_LIBRARY_PATH=${libraries}`, executable];
    },
  },
  {
    name: "linux-arm64-musl",
    needs: [
      "qemu-aarch64-static",
      "aarch64-linux-gnu-gcc",
      MUSL_ARM64,
      join(ARM64_LIBRARIES, "libstdc++.so.6"),
    ],
    isQuick: false,
    prepare(executable) {
      borrowLibraries("aarch64-linux-gnu-gcc", ARM64_LIBRARIES, join(MUSL_ARM64, "lib"));
      const variables = ["LD_LIBRARY_PATH=/lib", "LD_PRELOAD=/lib/ld-linux-x86-64.so.2"];
      const options = variables.flatMap((variable) => ["-E", variable]);
      return ["qemu-aarch64-static", "-L", MUSL_ARM64, ...options, executable];
    },
  },
];

/** Puts glibc's libstdc++ and what it needs beyond musl into a directory. See systems/musl.c. */
function borrowLibraries(compiler: string, from: string, to: string): string {
  mkdirSync(to, { recursive: true });
  const libgcc = existsSync(join(from, "libgcc_s.so.1")) ? from : "/lib/x86_64-linux-gnu";
  copyFileSync(join(from, "libstdc++.so.6"), join(to, "libstdc++.so.6"));
  copyFileSync(join(libgcc, "libgcc_s.so.1"), join(to, "libgcc_s.so.1"));
  // On x64, libstdc++ loads the file of this name.
  const shim = join(to, "ld-linux-x86-64.so.2");
  run([compiler, "-shared", "-fPIC", "-nostdlib", "-w", "-o", shim, join(SYSTEMS, "musl.c")]);
  return to;
}

/** The output of a program in a network of its own, where the ports of the demo are free. */
function run(argv: readonly string[], { isAlone = false, exitCode = 0, cwd = work } = {}): string {
  const alone = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"];
  const env = {
    ...GIT_ENV,
    PATH: process.env.PATH ?? "",
    HOME: work,
    WINEPREFIX: join(work, "wine"),
    WINEDEBUG: "-all",
  };
  const child = Bun.spawnSync([...(isAlone && canMount ? alone : []), ...argv], {
    cwd,
    env,
    stdin: "ignore",
  });
  const output = `${child.stdout}${child.stderr}`;
  if (child.exitCode !== exitCode)
    throw new Error(`${argv.join(" ")} ended with ${child.exitCode}:\n${output}`);
  return output;
}

const hasAll = (needs: readonly string[]) =>
  needs.every((each) => (each.startsWith("/") ? existsSync(each) : Bun.which(each) !== null));

/** The executable of `bun run release`, or one that is built now. */
async function findExecutable(name: string): Promise<string> {
  const [platform] = findPlatforms([name]);
  if (platform === undefined) throw new Error(name);
  if (IS_LONG) return join(ROOT, `dist/release/hooklatch-${version}-${name}${platform.suffix}`);
  const outfile = join(work, name, "hooklatch");
  await compile(outfile, { ...platform, executable: await unpackRuntime(platform, join(work, "bun")) });
  return outfile;
}

describe("the executable for", () => {
  for (const { name, needs, isQuick, prepare } of LINUX) {
    const missing = needs.filter((each) => !hasAll([each]));
    const reason =
      missing.length > 0
        ? ` (needs ${missing.join(", ").replaceAll(`${ROOT}/`, "")})`
        : isQuick
          ? ""
          : " (in test:release)";
    test.if((IS_LONG || isQuick) && missing.length === 0)(`${name} runs the demo${reason}`, async () => {
      const command = prepare(await findExecutable(name));
      expect(run([...command, "--version"])).toBe(`hooklatch ${version}\n`);
      const output = run([...command, "demo"], { isAlone: true });
      expect(output).toContain("Hello from the second push");
      expect(output).toContain('"status":"skipped","delivery":5');
    });
  }
});

const WINE = "/usr/lib/wine/wine64";

describe.if(IS_LONG && hasAll([WINE, "x86_64-w64-mingw32-gcc-win32"]))(
  "the executable for Windows, under Wine (in test:release; needs wine64 and mingw-w64)",
  () => {
    let executable = "";
    beforeAll(async () => {
      executable = join(work, "windows/hooklatch.exe");
      mkdirSync(join(work, "windows"));
      copyFileSync(await findExecutable("windows-x64"), executable);
      const library = join(work, "windows/bcryptprimitives.dll");
      run([
        "x86_64-w64-mingw32-gcc-win32",
        "-shared",
        "-o",
        library,
        join(SYSTEMS, "bcryptprimitives.c"),
        "-ladvapi32",
      ]);
      run([WINE, "wineboot"]);
    });
    const SOURCE = `data_dir = "data"\n[server]\nport = 9000\n[[source]]\nname = "github"\nprovider = "github"\npath = "/github-webhook"\n`;
    const TARGET = `[[target]]\nname = "blog"\nrepository = "octocat/blog"\nbranch = "main"\ndirectory = "C:/blog"\n`;

    test("receives and stores deliveries", () => {
      writeFileSync(join(work, "receive.toml"), SOURCE);
      const hooklatch = `"${WINE}" "${executable}"`;
      const script = `${hooklatch} serve -c receive.toml >log 2>&1 & server=$!
      for i in $(seq 300); do curl -fs http://127.0.0.1:9000/healthz >/dev/null && break; sleep 0.1; done
      ${hooklatch} send ping -c receive.toml; ${hooklatch} delivery list -c receive.toml; kill $server; cat log`;
      const output = run(["sh", "-c", script], { isAlone: true });
      expect(output).toContain('200 {"status":"pong","delivery":1}');
      expect(output).toMatch(/^1 .*github.*ping +pong/m);
      expect(output).toContain("Windows ignores the modes");
    });

    test("refuses to deploy, and to use a configuration that it only found", () => {
      writeFileSync(join(work, "deploy.toml"), SOURCE + TARGET);
      const serve = [WINE, executable, "serve"];
      expect(run([...serve, "-c", "deploy.toml"], { exitCode: 2 })).toContain(
        "deployments are not supported on Windows",
      );
      expect(run([WINE, executable, "demo"], { exitCode: 2 })).toContain(
        "deployments are not supported on Windows",
      );
      mkdirSync(join(work, "found"));
      writeFileSync(join(work, "found/hooklatch.toml"), SOURCE);
      expect(run(serve, { exitCode: 2, cwd: join(work, "found") })).toContain("name it with --config");
    });
  },
);
