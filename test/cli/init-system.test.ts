import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { init } from "../../src/cli/commands/init.ts";
import type { Host } from "../../src/cli/system/host.ts";
import type { Terminal } from "../../src/cli/terminal.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { AppError } from "../../src/lib/errors.ts";
import { words } from "../support/words.ts";

const BLOG = "--repository octocat/blog --url https://hooks.example.com";
const CONFIG = "/etc/hooklatch/hooklatch.toml";
const SECRET = "/etc/hooklatch/github.secret";
const UNIT = "/etc/systemd/system/hooklatch.service";

let directory: string;
let root: string;
let executable: string;
let ran: string[];
let host: Host;

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "hooklatch-test-")));
  root = join(directory, "root");
  executable = join(directory, "hooklatch");
  writeFileSync(executable, "#!/bin/true\n", { mode: 0o755 });
  mkdirSync(join(root, "run/systemd/system"), { recursive: true });
  ran = [];
  host = createHost(["useradd"]);
});
afterEach(() => rmSync(directory, { recursive: true }));

/** A machine below `root` whose users all have the ids of this process. */
function createHost(programs: readonly string[]): Host {
  const superuser = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const isAdded = () => ran.some((command) => /^(?:useradd|adduser) .*hooklatch$/.test(command));
  return {
    root,
    superuser,
    isSuperuser: true,
    async run(argv) {
      const command = argv.join(" ");
      if (argv[0] === "getent") {
        const line = `hooklatch:x:${superuser.uid}:${superuser.gid}::/var/lib/hooklatch:/usr/sbin/nologin`;
        const group = `hooklatch:x:${superuser.gid}:`;
        return isAdded()
          ? { exitCode: 0, lines: [argv[1] === "group" ? group : line] }
          : { exitCode: 2, lines: [] };
      }
      if (command === "useradd --help")
        return { exitCode: programs.includes("useradd") ? 0 : 127, lines: [] };
      ran.push(command);
      return { exitCode: 0, lines: [] };
    },
  };
}

async function initSystem(options: string, overrides: Partial<Terminal> = {}) {
  let stdout = "";
  const command = init(
    {
      ...{ env: { PATH: process.env.PATH }, cwd: directory, clock: systemClock, executable },
      isTty: { stdout: false, stderr: false },
      out: (text) => {
        stdout += text;
      },
      ...{ err: () => {}, log: () => {}, onHangUp: () => {}, abort: () => {} },
      readSecret: () => Promise.reject(new Error("standard input is empty")),
      untilStopped: () => new Promise(() => {}),
      ...overrides,
    },
    () => {},
    host,
  );
  let error: AppError | null = null;
  try {
    await command
      .exitOverride()
      .parseAsync(["--system", ...options.split(" ").filter((word) => word !== "")], {
        from: "user",
      });
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    error = thrown;
  }
  return { stdout, error };
}

const read = (path: string) => readFileSync(root + path, "utf8");

function write(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(root + path), { recursive: true });
  writeFileSync(root + path, text);
  chmodSync(root + path, mode);
}

/** Every path below the root, with mode, time of change and content. */
function listTree(): readonly string[] {
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .sort()
    .map((name) => {
      const stats = lstatSync(join(root, name));
      const content = stats.isFile() ? readFileSync(join(root, name), "base64") : "";
      return `/${name} ${(stats.mode & 0o7777).toString(8)} ${stats.mtimeMs} ${stats.ino} ${content}`;
    });
}

const modesOf = () =>
  Object.fromEntries(
    listTree().map((line) => {
      const [path = "", mode = ""] = line.split(" ");
      return [path, mode];
    }),
  );

/** Output without what differs in each run. */
function settled(text: string): string {
  const secret = existsSync(root + SECRET) ? read(SECRET).trim() : "none";
  return words(text, { [secret]: "<secret>", [executable]: "<executable>" });
}

describe("hooklatch init --system", () => {
  test("writes user, directories, secret, configuration, unit and rules", async () => {
    const mask = process.umask(0o077);
    const { stdout, error } = await initSystem(`${BLOG} --restart nginx --restart app@1.service`).finally(
      () => process.umask(mask),
    );
    expect(error).toBeNull();
    expect(modesOf()).toMatchObject({
      "/usr/local/bin/hooklatch": "755",
      "/etc/hooklatch": "750",
      [CONFIG]: "640",
      [SECRET]: "640",
      "/var/lib/hooklatch": "700",
      "/srv/sites": "755",
      "/srv/sites/blog": "755",
      [UNIT]: "644",
      "/etc/polkit-1/rules.d": "755",
      "/etc/polkit-1/rules.d/50-hooklatch-nginx.service.rules": "644",
      "/etc/polkit-1/rules.d/50-hooklatch-app@1.service.rules": "644",
    });
    expect(ran).toEqual([
      expect.stringMatching(/^useradd --system .* hooklatch$/),
      "systemctl daemon-reload",
    ]);
    expect(read(SECRET)).toMatch(/^[0-9a-f]{64}\n$/);
    expect(read(CONFIG)).toContain(`secrets = ["file:${SECRET}"]`);
    expect(read(CONFIG)).toContain('directory = "/srv/sites/blog"');
    expect(read(UNIT)).toBe(readFileSync(join(import.meta.dir, "../../examples/hooklatch.service"), "utf8"));
    expect(stdout).toContain(read(SECRET).trim());
    expect(stdout).toContain("https://hooks.example.com/github-webhook");
    expect(settled(stdout)).toMatchSnapshot();
  });

  test("changes nothing in a second run", async () => {
    await initSystem(`${BLOG} --restart nginx`);
    const tree = listTree();
    ran.length = 1;
    const { stdout, error } = await initSystem(`${BLOG} --restart nginx`);
    expect(error).toBeNull();
    expect(listTree()).toEqual(tree);
    expect(ran).toHaveLength(1);
    expect(stdout).toContain(read(SECRET).trim());
    expect(settled(stdout)).toMatchSnapshot();
  });

  test("adds the rule of another service later, and touches nothing else", async () => {
    await initSystem(`${BLOG} --restart nginx`);
    const tree = listTree().filter((line) => !line.startsWith("/etc/polkit-1/rules.d "));
    await initSystem(`${BLOG} --restart shop`);
    const rule = "/etc/polkit-1/rules.d/50-hooklatch-shop.service.rules";
    const example = join(import.meta.dir, "../../examples/recipes/50-hooklatch-shop.service.rules");
    expect(read(rule)).toBe(readFileSync(example, "utf8"));
    expect(listTree().filter((line) => !/^\/etc\/polkit-1\/rules\.d[ ]|-shop/.test(line))).toEqual([...tree]);
  });

  test("prints everything with --dry-run and changes nothing, also without root", async () => {
    host = { ...host, isSuperuser: false };
    const tree = listTree();
    const { stdout, error } = await initSystem(`${BLOG} --restart nginx --dry-run`);
    expect(error).toBeNull();
    expect([listTree(), ran]).toEqual([tree, []]);
    expect(settled(stdout)).toMatchSnapshot();
  });

  test("without root, refers to sudo and changes nothing", async () => {
    host = { ...host, isSuperuser: false };
    const tree = listTree();
    const { stdout, error } = await initSystem(BLOG);
    expect([error?.code, stdout, listTree(), ran]).toEqual(["failed", "", tree, []]);
    expect(error?.message).toMatchSnapshot();
  });

  test("reports what differs, and changes none of it", async () => {
    await initSystem(`${BLOG} --restart nginx`);
    const rule = "/etc/polkit-1/rules.d/50-hooklatch-nginx.service.rules";
    write(UNIT, read(UNIT).replace("PrivateTmp=true\n", ""));
    write(rule, "// mine\n");
    chmodSync(root + SECRET, 0o644);
    writeFileSync(executable, "#!/bin/false\n");
    rmSync(`${root}/srv/sites/blog`, { recursive: true });
    write("/srv/sites/blog", "a file");
    const tree = listTree();
    const { stdout, error } = await initSystem(`${BLOG} --restart nginx`);
    expect(error).toBeNull();
    expect(listTree()).toEqual(tree);
    expect(settled(stdout)).toMatchSnapshot();
  });

  test("keeps a configuration with other content, shows none of it, and writes no secret for it", async () => {
    const text =
      '[[source]]\nname = "a"\nprovider = "github"\npath = "/a"\nsecrets = ["a literal secret, sixteen"]\n';
    write(CONFIG, text, 0o640);
    const { stdout, error } = await initSystem(BLOG);
    expect(error).toBeNull();
    expect(read(CONFIG)).toBe(text);
    expect(existsSync(root + SECRET)).toBe(false);
    expect(stdout).not.toContain("a literal secret");
    expect(settled(stdout)).toMatchSnapshot();
  });

  test("keeps the comments of a package's configuration under another name", async () => {
    write(CONFIG, "# Nothing yet.\n\n  # [server]\n", 0o640);
    const { stdout } = await initSystem(BLOG);
    expect(read(`${CONFIG}.orig`)).toBe("# Nothing yet.\n\n  # [server]\n");
    expect(read(CONFIG)).toContain('name = "blog"');
    expect(stdout).toContain(`${CONFIG}.orig`);
    write(CONFIG, "# Again.\n", 0o640);
    await initSystem(BLOG);
    expect(read(CONFIG)).toBe("# Again.\n");
  });

  test("does not follow a dangling symbolic link", async () => {
    mkdirSync(dirname(root + CONFIG), { recursive: true });
    chmodSync(dirname(root + CONFIG), 0o750);
    symlinkSync(join(root, "nowhere"), root + CONFIG);
    const { error } = await initSystem(BLOG);
    expect(error?.code).toBe("failed");
    expect(error?.message).toContain(CONFIG);
    expect(existsSync(join(root, "nowhere"))).toBe(false);
  });

  test("without systemd, writes neither unit nor rule and prints how to start", async () => {
    rmSync(join(root, "run"), { recursive: true });
    host = createHost(["adduser"]);
    const { stdout, error } = await initSystem(`${BLOG} --restart nginx`);
    expect(error).toBeNull();
    expect(readdirSync(join(root, "etc"))).toEqual(["hooklatch"]);
    expect(ran.map((command) => command.split(" ")[0])).toEqual(["addgroup", "adduser"]);
    expect(stdout).toContain("su -s /bin/sh -c 'cd / && exec /usr/local/bin/hooklatch serve' hooklatch");
  });

  test("allows low ports and writes [server.acme] with --domain", async () => {
    await initSystem(
      "--repository octocat/blog --domain hooks.example.com --email ops@example.com --agree-terms",
    );
    expect(read(UNIT)).toMatch(/^AmbientCapabilities=CAP_NET_BIND_SERVICE$/m);
    expect(Bun.TOML.parse(read(CONFIG))).toMatchObject({
      server: {
        port: 443,
        public_url: "https://hooks.example.com",
        acme: { domains: ["hooks.example.com"], email: "ops@example.com", terms_agreed: true },
      },
    });
  });

  test("uses the unit of a package, with a drop-in for what it lacks", async () => {
    write("/usr/lib/systemd/system/hooklatch.service", "[Service]\n");
    await initSystem(BLOG);
    expect(existsSync(root + UNIT) || existsSync(`${root + UNIT}.d`)).toBe(false);
    await initSystem(`${BLOG} --directory /srv/blog`);
    expect(read(`${UNIT}.d/10-init.conf`)).toBe("[Service]\nReadWritePaths=-/srv/blog\n");
    expect(existsSync(root + UNIT)).toBe(false);
  });

  test("lets the service write to the sites and to a directory elsewhere", async () => {
    await initSystem(`${BLOG} --sites /srv/www/ --directory /data/blog`);
    expect(read(UNIT)).toContain("\nReadWritePaths=-/srv/www -/data/blog\n");
    expect(statSync(`${root}/data/blog`).isDirectory()).toBe(true);
    expect(read(CONFIG)).toContain('directory = "/data/blog"');
  });

  test("generates a token for --generic and leaves the secret that the sender issues to the user", async () => {
    const { stdout } = await initSystem("--provider stripe --generic");
    expect(readdirSync(`${root}/etc/hooklatch`).sort()).toEqual(["hooklatch.toml", "webhook.verify-token"]);
    expect(stdout).toContain("/etc/hooklatch/stripe.secret");
    expect(stdout).toContain(read("/etc/hooklatch/webhook.verify-token").trim());
  });

  test.each([
    "--sites sites",
    "--sites /home/www",
    "--sites /",
    "--sites /srv/../etc",
    "--sites /srv/a%h",
    "--directory /srv/a:b --repository octocat/blog",
    "--directory /tmp/blog --repository octocat/blog",
    "--restart a/../b.service",
    '--restart x"],evil()//.service',
    "--restart dbus.socket",
    "--domain hooks.example.com",
    "--agree-terms",
    "--config x.toml",
    "--repository nonsense",
    "--domain not_a_name --agree-terms",
  ])("refuses an option that it cannot use, and changes nothing: %s", async (options) => {
    const tree = listTree();
    const { stdout, error } = await initSystem(options);
    expect([error?.code, stdout, listTree(), ran]).toEqual(["configuration", "", tree, []]);
    expect(error?.message).toMatchSnapshot();
  });

  test("refuses to install an interpreter", async () => {
    const { error } = await initSystem(BLOG, { executable: null });
    expect(error?.code).toBe("configuration");
    expect(error?.message).toMatchSnapshot();
  });

  test("leaves an installed executable where it is", async () => {
    await initSystem(BLOG, { executable: "/usr/bin/env" });
    expect(existsSync(`${root}/usr/local/bin/hooklatch`)).toBe(false);
    expect(read(UNIT)).toContain(`ExecStart=${realpathSync("/usr/bin/env")} serve`);
  });

  test("continues after a fault", async () => {
    write("/srv", "a file where the directory should be");
    const { error } = await initSystem(BLOG);
    expect(error?.code).toBe("failed");
    expect(error?.message).toContain("/srv/sites");
    rmSync(`${root}/srv`);
    expect((await initSystem(BLOG)).error).toBeNull();
    expect(existsSync(root + UNIT)).toBe(true);
  });
});
