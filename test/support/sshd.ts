import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "./free-port.ts";

const PROGRAM = "/usr/sbin/sshd";

/** Whether an OpenSSH server and its client programs are installed. */
export const hasSshd = existsSync(PROGRAM) && Bun.which("ssh") !== null && Bun.which("ssh-keyscan") !== null;

/** Creates a key without a passphrase. Returns the public key, `<type> <base64>`. */
export function makeKey(path: string, type = "ed25519"): string {
  const { status, stderr } = spawnSync("ssh-keygen", ["-q", "-t", type, "-N", "", "-C", "", "-f", path]);
  if (status !== 0) throw new Error(`ssh-keygen: ${stderr}`);
  return readFileSync(`${path}.pub`, "utf8").trim();
}

/** A real OpenSSH server on loopback that accepts one key, for the user who runs the test. */
export class Sshd {
  readonly port = freePort();
  readonly #child: ReturnType<typeof spawn>;
  readonly #config: string;

  private constructor(
    /** The host key, `<type> <base64>`. */
    readonly hostKey: string,
    directory: string,
  ) {
    this.#config = join(directory, "sshd_config");
    writeFileSync(
      this.#config,
      [
        `Port ${this.port}`,
        "ListenAddress 127.0.0.1",
        `HostKey "${join(directory, "host")}"`,
        `AuthorizedKeysFile "${join(directory, "authorized_keys")}"`,
        "PidFile none",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PermitRootLogin prohibit-password",
        "StrictModes no",
        "UsePAM no",
        "",
      ].join("\n"),
    );
    // The privilege separation directory (sshd(8)), which only root needs.
    if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
    this.#child = spawn(PROGRAM, ["-D", "-e", "-f", this.#config], { stdio: "ignore" });
  }

  /** Starts a server with a new host key. `directory` is created for its files. */
  static async start(directory: string, authorised: string, hostKeyType?: string): Promise<Sshd> {
    mkdirSync(directory, { recursive: true });
    const hostKey = makeKey(join(directory, "host"), hostKeyType);
    writeFileSync(join(directory, "authorized_keys"), `${authorised}\n`);
    const sshd = new Sshd(hostKey, directory);
    await sshd.#listens();
    return sshd;
  }

  /** The host in the format of known_hosts. */
  get host(): string {
    return `[127.0.0.1]:${this.port}`;
  }

  /** The line for known_hosts. */
  get line(): string {
    return `${this.host} ${this.hostKey}`;
  }

  url(path: string): string {
    const user = execFileSync("id", ["-un"], { encoding: "utf8" }).trim();
    return `ssh://${user}@127.0.0.1:${this.port}${path}`;
  }

  stop(): void {
    this.#child.kill("SIGTERM");
  }

  async #listens(): Promise<void> {
    for (;;) {
      const answered = await Bun.connect({ hostname: "127.0.0.1", port: this.port, socket: { data() {} } })
        .then((socket) => socket.end())
        .then(
          () => true,
          () => false,
        );
      if (answered) return;
      if (this.#child.exitCode !== null) throw new Error(`sshd exited with ${this.#child.exitCode}`);
      await Bun.sleep(5);
    }
  }
}
