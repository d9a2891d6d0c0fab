import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const NAMESPACES = ["--mount", "--net", "--pid"];

/** Whether this user may mount a copy of the system: root, on Linux. */
export const canMount =
  process.platform === "linux" &&
  Bun.spawnSync(["unshare", ...NAMESPACES, "--fork", "mount", "-t", "tmpfs", "none", "/mnt"]).exitCode === 0;

/** A copy of this system in namespaces of its own: what is written to it stays in memory, and it has only a loopback. */
export interface Root {
  /** The path of a file of the copy, as seen from outside its namespace. */
  path(file: string): string;
  /** Runs a script as root and resolves with its output, without the last line break. Throws when it fails. */
  run(script: string): Promise<string>;
  /** Boots systemd in the copy, runs a script there, and resolves with its output. */
  boot(script: string): Promise<string>;
  close(): Promise<void>;
}

/** The upper layer is on a file system in memory, because one overlay cannot be the upper layer of another. */
const MOUNT = `set -e
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc proc /proc
mount -t proc proc "$1/root/proc"
mount --bind /dev "$1/root/dev"
mount -t tmpfs none "$1/root/tmp"
mount -t tmpfs none "$1/root/run"
ip link set lo up
# The index of the manual pages takes seconds.
rm -f "$1/root/var/lib/man-db/auto-update"
echo ready
exec sleep infinity`;

export async function openRoot(): Promise<Root> {
  const directory = mkdtempSync(join(tmpdir(), "hooklatch-root-"));
  const holder = Bun.spawn(
    ["unshare", ...NAMESPACES, "--fork", "--kill-child", "sh", "-c", MOUNT, "sh", directory],
    { stdin: "ignore", stdout: "pipe", stderr: "inherit" },
  );
  const { value } = await holder.stdout.getReader().read();
  if (value === undefined) throw new Error("the copy of the system could not be mounted");
  // The first process of the namespace: with it, all others end.
  const init = readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, "utf8").trim();
  const enter = ["nsenter", "--target", init, ...NAMESPACES];
  const inside = join(directory, "root");
  const env = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C.UTF-8" };

  async function execute(argv: readonly string[]): Promise<string> {
    const child = Bun.spawn([...enter, ...argv], { env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    if ((await child.exited) !== 0) throw new Error(`${argv.at(-1)}\nfailed: ${out}${err}`);
    return out.trimEnd();
  }
  const run = (script: string) => execute(["chroot", inside, "sh", "-ec", script]);
  // As that process sees its mounts.
  const path = (file: string) => join(`/proc/${init}/root`, inside, file);

  return {
    path,
    run,
    async boot(script) {
      writeFileSync(
        path("opt/script"),
        `#!/bin/bash\nexec >/opt/output 2>&1\n${script}\nsystemctl poweroff\n`,
      );
      chmodSync(path("opt/script"), 0o755);
      const unit = "[Unit]\nAfter=multi-user.target\n[Service]\nExecStart=/opt/script\n";
      writeFileSync(path("etc/systemd/system/script.service"), unit);
      mkdirSync(path("etc/systemd/system/multi-user.target.wants"), { recursive: true });
      await run("ln -sf ../script.service /etc/systemd/system/multi-user.target.wants/; : >/etc/machine-id");
      await execute([
        "umount",
        join(inside, "run"),
        join(inside, "tmp"),
        join(inside, "dev"),
        join(inside, "proc"),
      ]);
      const options = [
        "--quiet",
        "--boot",
        "--private-network",
        "--register=no",
        "--keep-unit",
        "--console=pipe",
      ];
      await execute(["timeout", "120", "systemd-nspawn", ...options, "--directory", inside]).catch(() => {});
      return readFileSync(path("opt/output"), "utf8");
    },
    async close() {
      holder.kill("SIGKILL");
      await holder.exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
