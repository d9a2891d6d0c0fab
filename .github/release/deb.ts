import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { gzipSync } from "node:zlib";
import { SHELLS } from "../../src/cli/commands/completion.ts";
import { DEFAULT_SITES, writeUnit } from "../../src/cli/system/unit.ts";
import { ROOT } from "./compile.ts";
import { describeLicenses } from "./licenses.ts";
import { describeCommands, describeKeys } from "./manual.ts";

/** What a Debian package is made from. */
export interface DebOptions {
  readonly version: string;
  /** Debian's name. */
  readonly architecture: "amd64" | "arm64";
  readonly executable: string;
  /** All files get this time at the latest, so that equal input gives an equal package. */
  readonly time: Date;
  /** Where the package is written. */
  readonly out: string;
  /** What dpkg-deb compresses with, by default gzip: xz takes a minute to save a sixth. */
  readonly compression?: "gzip" | "none";
}

/** Whether this machine has the program that makes packages. */
export const hasDpkg = Bun.which("dpkg-deb") !== null;

/** Makes the Debian package and returns the name of its file. */
export async function createDeb(options: DebOptions): Promise<string> {
  const { version, architecture, time, out, compression = "gzip" } = options;
  const name = `hooklatch_${version}_${architecture}.deb`;
  const tree = mkdtempSync(join(tmpdir(), "hooklatch-deb-"));
  try {
    chmodSync(tree, 0o755);
    await fillTree(tree, options);
    const build = Bun.spawn(
      ["dpkg-deb", "--root-owner-group", `-Z${compression}`, "--build", tree, join(out, name)],
      {
        env: { ...process.env, SOURCE_DATE_EPOCH: String(time.getTime() / 1000) },
        stdout: "ignore",
        stderr: "pipe",
      },
    );
    const problem = await build.stderr.text();
    if ((await build.exited) !== 0) throw new Error(`dpkg-deb failed:\n${problem}`);
    return name;
  } finally {
    rmSync(tree, { recursive: true });
  }
}

async function fillTree(tree: string, options: DebOptions): Promise<void> {
  const { version, architecture, executable, time } = options;
  function put(path: string, content: string | Uint8Array, mode = 0o644): void {
    const file = join(tree, path);
    createDirectory(tree, dirname(path));
    writeFileSync(file, content);
    chmodSync(file, mode);
  }
  const source = (path: string) => readFileSync(join(ROOT, path));
  const own = (path: string) => source(`.github/release/debian/${path}`);
  const compressed = (text: string | Uint8Array) => gzipSync(text, { level: 9 });
  const documents = "usr/share/doc/hooklatch";

  createDirectory(tree, "usr/bin");
  cpSync(executable, join(tree, "usr/bin/hooklatch"));
  chmodSync(join(tree, "usr/bin/hooklatch"), 0o755);
  put("etc/hooklatch/hooklatch.toml", own("hooklatch.toml"), 0o640);
  put(
    "usr/lib/systemd/system/hooklatch.service",
    writeUnit({ executable: "/usr/bin/hooklatch", writable: [DEFAULT_SITES], hasLowPorts: false }),
  );
  put("usr/share/man/man1/hooklatch.1.gz", compressed(await describeCommands(version, time)));
  put("usr/share/man/man5/hooklatch.toml.5.gz", compressed(describeKeys(version, time)));
  put("usr/share/bash-completion/completions/hooklatch", SHELLS.bash.script);
  put("usr/share/zsh/vendor-completions/_hooklatch", SHELLS.zsh.script);
  put("usr/share/fish/vendor_completions.d/hooklatch.fish", SHELLS.fish.script);
  put(`${documents}/changelog.gz`, compressed(describeVersion(version, time)));
  put(`${documents}/CHANGELOG.md.gz`, compressed(source("CHANGELOG.md")));
  put(`${documents}/copyright`, own("copyright"));
  put(`${documents}/licenses.txt.gz`, compressed(describeLicenses()));
  for (const example of ["full.toml", "nginx.conf", "Caddyfile"]) {
    put(`${documents}/examples/${example}`, source(`examples/${example}`));
  }
  put("usr/share/lintian/overrides/hooklatch", own("lintian-overrides"));

  const files = listFiles(tree);
  const size = files.reduce((sum, file) => sum + Math.ceil(Bun.file(join(tree, file)).size / 1024), 0);
  put("DEBIAN/control", describePackage(version, architecture, size));
  put("DEBIAN/conffiles", "/etc/hooklatch/hooklatch.toml\n");
  put("DEBIAN/md5sums", files.map((file) => `${md5(join(tree, file))}  ${file}\n`).join(""));
  for (const script of ["postinst", "prerm", "postrm"]) put(`DEBIAN/${script}`, own(script), 0o755);
}

/** Creates a directory and its parents with the mode of Debian's, whatever the umask. */
function createDirectory(tree: string, path: string): void {
  if (path === ".") return;
  createDirectory(tree, dirname(path));
  mkdirSync(join(tree, path), { recursive: true });
  chmodSync(join(tree, path), 0o755);
}

/** The paths of all files below a directory, in order. */
function listFiles(tree: string): readonly string[] {
  const entries = readdirSync(tree, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map(({ parentPath, name }) => relative(tree, join(parentPath, name))).sort();
}

function md5(file: string): string {
  return new Bun.CryptoHasher("md5").update(readFileSync(file)).digest("hex");
}

const MAINTAINER = "hooklatch maintainers <maintainers@hooklatch.invalid>";

function describePackage(version: string, architecture: string, size: number): string {
  return `Package: hooklatch
Version: ${version}
Architecture: ${architecture}
Maintainer: ${MAINTAINER}
Installed-Size: ${size}
Depends: adduser, git (>= 1:2.31), libc6 (>= 2.17)
Recommends: openssh-client
Suggests: git-lfs, nginx
Section: net
Priority: optional
Description: receiver of webhooks that deploys what was pushed
 hooklatch receives webhooks over HTTPS, verifies the sender, and stores every
 delivery before it answers. When a push arrives, it fetches the branch, builds
 it in a new directory, and makes it live in one atomic step.
`;
}

/** Debian's form of a changelog. The changes are in CHANGELOG.md. */
function describeVersion(version: string, time: Date): string {
  const date = time.toUTCString().replace("GMT", "+0000");
  return `hooklatch (${version}) stable; urgency=medium

  * Release ${version}. See CHANGELOG.md.gz.

 -- ${MAINTAINER}  ${date}
`;
}
