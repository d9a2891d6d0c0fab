/** A system that a release is built for. */
export interface Platform {
  /** As in file names and in `bun run build NAME`. */
  readonly name: string;
  /** Bun's name of the system. */
  readonly target: string;
  /** The npm package with Bun's executable. */
  readonly runtime: string;
  /** What Windows appends to the names of executables. */
  readonly suffix: "" | ".exe";
}

function platform(name: string, target: string, runtime: string, suffix: Platform["suffix"] = ""): Platform {
  return { name, target: `bun-${target}`, runtime: `@oven/bun-${runtime}`, suffix };
}

export const PLATFORMS: readonly Platform[] = [
  platform("linux-x64", "linux-x64", "linux-x64"),
  platform("linux-arm64", "linux-arm64", "linux-aarch64"),
  platform("linux-x64-musl", "linux-x64-musl", "linux-x64-musl"),
  platform("linux-arm64-musl", "linux-arm64-musl", "linux-aarch64-musl"),
  platform("macos-x64", "darwin-x64", "darwin-x64"),
  platform("macos-arm64", "darwin-arm64", "darwin-aarch64"),
  platform("windows-x64", "windows-x64", "windows-x64", ".exe"),
];

/** The platforms with these names. Throws on an unknown name. */
export function findPlatforms(names: readonly string[]): readonly Platform[] {
  return names.map((name) => {
    const found = PLATFORMS.find((each) => each.name === name);
    if (found !== undefined) return found;
    const known = PLATFORMS.map((each) => each.name).join(", ");
    throw new Error(`unknown platform ${JSON.stringify(name)}: expected one of ${known}`);
  });
}

/** {@link findPlatforms} for a command line: an unknown name ends the program with a message. */
export function findPlatformsOrFail(names: readonly string[]): readonly Platform[] {
  try {
    return findPlatforms(names);
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

/** Ends the program: the command line is wrong. */
export function fail(message: string): never {
  console.error(message);
  process.exit(2);
}
