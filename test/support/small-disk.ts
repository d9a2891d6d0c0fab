import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A file system of a few megabytes that a test can fill: a tmpfs in a temporary directory. */
export class SmallDisk {
  readonly path: string;

  constructor(megabytes: number) {
    this.path = mkdtempSync(join(tmpdir(), "hooklatch-disk-"));
    if (!mount(this.path, megabytes)) throw new Error("a tmpfs cannot be mounted here");
  }

  /** Uses all free space, to the last byte. */
  fill(): void {
    const file = openSync(this.#ballast, "a");
    try {
      for (const size of [1024 * 1024, 4096, 1]) writeUntilFull(file, Buffer.alloc(size, 1));
    } finally {
      closeSync(file);
    }
  }

  /** Frees the space again. */
  free(): void {
    rmSync(this.#ballast, { force: true });
  }

  /** Must be called when no process uses it. */
  unmount(): void {
    Bun.spawnSync(["umount", this.path]);
    rmdirSync(this.path);
  }

  get #ballast(): string {
    return join(this.path, "ballast");
  }
}

function writeUntilFull(file: number, bytes: Uint8Array): void {
  try {
    while (writeSync(file, bytes) > 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  }
}

function mount(path: string, megabytes: number): boolean {
  return succeeds(["mount", "-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", path]);
}

function canMount(): boolean {
  const path = mkdtempSync(join(tmpdir(), "hooklatch-disk-"));
  const mounted = mount(path, 1);
  if (mounted) Bun.spawnSync(["umount", path]);
  rmdirSync(path);
  return mounted;
}

/**
 * A file system in a file, which the kernel makes read-only permanently after a reported error, as ext4 does with a
 * failing disk (`errors=remount-ro`, ext4(5)). `mount -o remount,ro` is no alternative: the kernel rejects it while a
 * program has files open for writing.
 */
export class FailingDisk {
  readonly path: string;
  readonly #image: string;
  readonly #directory: string;

  constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), "hooklatch-disk-"));
    this.#image = join(this.#directory, "image");
    this.path = join(this.#directory, "mounted");
    mkdirSync(this.path);
    writeFileSync(this.#image, "");
    const made =
      succeeds(["truncate", "--size=16M", this.#image]) &&
      succeeds(["mkfs.ext4", "-q", "-O", "^has_journal", "-e", "remount-ro", this.#image]) &&
      succeeds(["mount", "-o", "loop", this.#image, this.path]);
    if (made) return;
    this.dispose();
    throw new Error("a file system on a file cannot be mounted here");
  }

  /** Makes it read-only, as an error of the disk does. */
  fail(): void {
    const { stdout } = Bun.spawnSync(["findmnt", "--noheadings", "--output=SOURCE", this.path]);
    const device = stdout.toString().trim().replace("/dev/", "");
    writeFileSync(`/sys/fs/ext4/${device}/trigger_fs_error`, "1");
  }

  /** Repairs it and mounts it again. Must be called when no process uses it. */
  repair(): void {
    succeeds(["umount", this.path]);
    succeeds(["fsck.ext4", "-p", "-f", this.#image]);
    if (!succeeds(["mount", "-o", "loop", this.#image, this.path]))
      throw new Error("it cannot be mounted again");
  }

  dispose(): void {
    Bun.spawnSync(["umount", this.path], { stderr: "ignore" });
    rmSync(this.#directory, { recursive: true });
  }
}

function canFail(): boolean {
  try {
    const disk = new FailingDisk();
    try {
      disk.fail();
      return true;
    } finally {
      disk.dispose();
    }
  } catch {
    return false;
  }
}

function succeeds(command: string[]): boolean {
  try {
    return Bun.spawnSync(command, { stdout: "ignore", stderr: "ignore" }).exitCode === 0;
  } catch {
    return false; // The program is not installed.
  }
}

/** Whether each kind of disk is available. Both need privileges that many machines do not grant. */
export const isPossible = { small: canMount(), failing: canFail() };
