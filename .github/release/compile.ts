import { rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** The repository's directory. */
export const ROOT = join(import.meta.dir, "../..");

const FLAGS = [
  "--compile",
  "--bytecode",
  "--format=esm",
  "--splitting",
  "--minify-syntax",
  "--minify-whitespace",
  "--sourcemap",
  "--define",
  '__dirname="/"',
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
];

/** The program, and what the store's thread runs. */
export const ENTRIES = ["src/main.ts", "src/store/thread/main.ts"];

/** The Bun that an executable for another system consists of. */
export interface Runtime {
  /** Bun's name of the system, such as `bun-linux-arm64`. */
  readonly target: string;
  readonly executable: string;
}

/**
 * Compiles the executable, for the given runtime or this one. Equal sources give an equal file in any directory `root`,
 * but only with the same file name: the name becomes part of it.
 *
 * @param outfile without `.exe`, which Bun appends for Windows.
 */
export async function compile(outfile: string, runtime: Runtime | null, root = ROOT): Promise<void> {
  const target =
    runtime === null ? [] : [`--target=${runtime.target}`, `--compile-executable-path=${runtime.executable}`];
  const argv = [process.execPath, "build", ...FLAGS, ...target, ...ENTRIES, "--outfile", outfile];
  const build = Bun.spawn(argv, { cwd: root, stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([build.stdout.text(), build.stderr.text()]);
  if ((await build.exited) !== 0) throw new Error(`the build of ${outfile} failed:\n${out}${err}`);
  // The executable contains them.
  const maps = new Bun.Glob("*.js.map").scanSync({ cwd: dirname(outfile), absolute: true });
  for (const map of [...maps, join(dirname(outfile), `${basename(outfile)}.map`)])
    rmSync(map, { force: true });
}
