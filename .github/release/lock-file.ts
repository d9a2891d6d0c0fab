import { readFileSync } from "node:fs";
import { join } from "node:path";

/** A package in `bun.lock`. */
export interface LockedPackage {
  /** Its place in `node_modules`, such as `a` or, for the version that only `a` gets, `a/b`. */
  readonly path: string;
  readonly name: string;
  readonly version: string;
  /** Subresource integrity: `sha512-` and base64. */
  readonly integrity: string;
  /** The places of the packages that it needs. */
  readonly dependencies: readonly string[];
}

interface Entry {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

interface LockFile {
  readonly workspaces: {
    readonly "": {
      readonly dependencies: Readonly<Record<string, string>>;
      readonly devDependencies: Readonly<Record<string, string>>;
    };
  };
  readonly packages: Readonly<Record<string, readonly [string, string, Entry, string]>>;
}

/** The packages that `bun.lock` pins. */
export interface Locked {
  /** Throws when the lock file lacks it. */
  get(path: string): LockedPackage;
  /** The direct dependencies in production. */
  readonly direct: readonly string[];
  /** All that production needs, by path. */
  readonly production: readonly LockedPackage[];
}

export function readLockFile(root: string): Locked {
  const text = readFileSync(join(root, "bun.lock"), "utf8");
  const { workspaces, packages } = Bun.JSONC.parse(text) as LockFile;
  const { dependencies: needed, devDependencies } = workspaces[""];

  function get(path: string): LockedPackage {
    const entry = packages[path];
    if (entry === undefined) throw new Error(`bun.lock has no package ${path}`);
    const [id, , needs, integrity] = entry;
    const at = id.lastIndexOf("@");
    // Peers for development, such as the compiler of the types, are no part of the program. Others are, also optional ones:
    // the bundler includes what is installed.
    const peers = Object.keys(needs.peerDependencies ?? {}).filter((name) => !(name in devDependencies));
    const dependencies = [...Object.keys({ ...needs.dependencies, ...needs.optionalDependencies }), ...peers];
    return {
      path,
      name: id.slice(0, at),
      version: id.slice(at + 1),
      integrity,
      dependencies: dependencies.flatMap((name) => resolve(path, name) ?? []).sort(),
    };
  }

  /** Node looks beside the package, then in each directory above. */
  function resolve(from: string, name: string): string | null {
    for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/")))) {
      const path = at === "" ? name : `${at}/${name}`;
      if (path in packages) return path;
      if (at === "") return null;
    }
  }

  const direct = Object.keys(needed);
  const found = new Map<string, LockedPackage>();
  for (const waiting = [...direct]; waiting.length > 0; ) {
    const path = waiting.pop() ?? "";
    if (found.has(path)) continue;
    const each = get(path);
    found.set(path, each);
    waiting.push(...each.dependencies);
  }
  const production = [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  return { get, direct, production };
}
