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

/** A file system of a few megabytes that can be filled up: a tmpfs, mounted where only a test looks. */
export class SmallDisk {
  readonly path: string;

  constructor(megabytes: number) {
    this.path = mkdtempSync(join(tmpdir(), "hooklatch-disk-"));
    if (!mount(this.path, megabytes)) throw new Error("a tmpfs cannot be mounted here");
  }

  /** Takes all space that is left, to the last byte. */
  fill(): void {
    const file = openSync(this.#ballast, "a");
    try {
      for (const size of [1024 * 1024, 4096, 1]) writeUntilFull(file, Buffer.alloc(size, 1));
    } finally {
      closeSync(file);
    }
  }

  /** Gives the space back. */
  free(): void {
    rmSync(this.#ballast, { force: true });
  }

  /** Only once nothing uses it any more. */
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
 * A file system on a file, which the kernel makes read-only for ever when told that it is damaged: what ext4 does
 * with a disk that fails (`errors=remount-ro`, ext4(5)). Nothing else takes a directory away from a program that
 * has files open in it: the kernel refuses `mount -o remount,ro` then.
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

  /** Makes it read-only, as a fault of the disk would. */
  fail(): void {
    const { stdout } = Bun.spawnSync(["findmnt", "--noheadings", "--output=SOURCE", this.path]);
    const device = stdout.toString().trim().replace("/dev/", "");
    writeFileSync(`/sys/fs/ext4/${device}/trigger_fs_error`, "1");
  }

  /** Repairs it and mounts it again. Only once nothing uses it any more. */
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
    return false; // There is no such program.
  }
}

/** Whether each kind can be had here: both take privileges that not every machine gives. */
export const isPossible = { small: canMount(), failing: canFail() };
