/**
 * `bun run test:system`: sets up a new Debian with `init --system`, with systemd as its init, in a container. Needs root,
 * the Debian packages systemd-container and debootstrap, and a Debian mirror for the first run, which takes minutes:
 * the installed tree stays in $SYSTEM_TEST_DIR, else in /var/tmp/hooklatch-system-test.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

setDefaultTimeout(600_000);

const WORK = process.env.SYSTEM_TEST_DIR ?? "/var/tmp/hooklatch-system-test";
const PACKAGES = "systemd,systemd-sysv,dbus,polkitd,git,nginx-light,ca-certificates,curl";
const ROOT = join(WORK, "machine");
const INIT =
  "/root/hooklatch init --system --repository http://127.0.0.1:8080/octocat/blog.git --url https://hooks.example.com --restart nginx.service";

/** Serves the repositories, and the site as the documentation does. */
const NGINX = `server { listen 8080; root /srv/git; }
server { listen 80 default_server; root /srv/sites/blog/current; location ~ /\\.git { deny all; } }
`;

let container: Bun.Subprocess | null = null;
const times: string[] = [];

/** Runs commands in the container as root, and fails the test when they fail. */
function run(script: string): string {
  const { stdout, stderr, exitCode } = attempt(script);
  if (exitCode !== 0) throw new Error(`${script}\nended with ${exitCode}: ${stdout}${stderr}`);
  return stdout.trim();
}

function attempt(script: string) {
  const environment = [
    "env",
    "-i",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
  ];
  const { stdout, stderr, exitCode } = Bun.spawnSync([
    ...[
      "nsenter",
      "--all",
      "--target",
      String(leader()),
      ...environment,
      "sh",
      "-euc",
      `cd /root; ${script}`,
    ],
  ]);
  return { stdout: stdout.toString(), stderr: stderr.toString(), exitCode };
}

/** The init of the container. */
function leader(): number {
  const pid = container?.pid;
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
  return Number(child);
}

async function until(script: string, what: string): Promise<void> {
  for (let tries = 0; tries < 600; tries += 1) {
    if (leader() > 0 && attempt(script).exitCode === 0) return;
    await Bun.sleep(100);
  }
  throw new Error(`${what} did not happen: ${attempt(script).stderr}`);
}

async function boot(): Promise<void> {
  container = Bun.spawn(
    [
      ...["systemd-nspawn", "--quiet", "--directory", ROOT, "--boot", "--register=no", "--keep-unit"],
      ...["--private-network", "--machine=hooklatch-test"],
    ],
    {
      stdin: "ignore",
      stdout: Bun.file(join(WORK, "console.log")),
      stderr: Bun.file(join(WORK, "nspawn.log")),
    },
  );
  await until("systemctl is-active --quiet multi-user.target", "the start of the container");
}

async function shutDown(): Promise<void> {
  if (container === null) return;
  attempt("systemctl poweroff");
  await Promise.race([container.exited, Bun.sleep(60_000).then(() => container?.kill("SIGKILL"))]);
  container = null;
}

/** Every file that `init --system` may write, with mode, owner, time and content. */
const listFiles = () =>
  run(
    "find /etc /usr/local /srv/sites /var/lib/hooklatch -path /etc/mtab -prune -o ! -path '*.db-*' -printf '%p %m %u:%g %T@\\n' | sort; sha256sum /etc/hooklatch/* /etc/systemd/system/hooklatch.service /etc/passwd",
  );

function push(text: string): string {
  return run(`cd /root/work; echo '${text}' > index.html; git add .; git commit -qm '${text}'; git push -q origin main
    cd /srv/git/octocat/blog.git; git update-server-info; git rev-parse main`);
}

/** Sends what the forge would send for the newest commit, and waits until it is live. */
async function deliver(text: string): Promise<void> {
  run(
    "hooklatch send push --repository octocat/blog --branch main --commit $(git -C /root/work rev-parse HEAD)",
  );
  await until(`curl -fs http://127.0.0.1/ | grep -qF '${text}'`, `the deployment of ${text}`);
}

async function measure(step: string, act: () => unknown): Promise<void> {
  const start = performance.now();
  await act();
  times.push(`${((performance.now() - start) / 1_000).toFixed(1).padStart(6)} s  ${step}`);
}

beforeAll(async () => {
  if (process.getuid?.() !== 0) throw new Error("test:system needs root");
  for (const [program, name] of [
    ["systemd-nspawn", "systemd-container"],
    ["debootstrap", "debootstrap"],
  ] as const) {
    if (Bun.which(program) === null) throw new Error(`test:system needs ${program}: apt-get install ${name}`);
  }
  const base = join(WORK, "debian");
  if (!existsSync(base)) {
    const draft = `${base}.new`;
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(draft, { recursive: true });
    const log = Bun.file(join(WORK, "debootstrap.log"));
    const { exitCode } = Bun.spawnSync(
      ["debootstrap", "--variant=minbase", `--include=${PACKAGES}`, "bookworm", draft],
      { stdout: log, stderr: log },
    );
    if (exitCode !== 0) throw new Error(`debootstrap failed: ${WORK}/debootstrap.log`);
    renameSync(draft, base);
  }
  rmSync(ROOT, { recursive: true, force: true });
  if (Bun.spawnSync(["cp", "-a", base, ROOT]).exitCode !== 0) throw new Error("cannot copy the tree");
  copyFileSync(join(import.meta.dir, "../../dist/hooklatch"), join(ROOT, "root/hooklatch"));
  // The site of the package is an absolute link, which would be followed to this machine's file.
  rmSync(join(ROOT, "etc/nginx/sites-enabled/default"));
  writeFileSync(join(ROOT, "etc/nginx/conf.d/test.conf"), NGINX);
  await measure("boot", boot);
  run(`git config --global user.name Octo; git config --global user.email octocat@example.com
    git init -q --bare -b main /srv/git/octocat/blog.git; git init -q -b main work
    git -C work remote add origin /srv/git/octocat/blog.git`);
  push("first page");
});

afterAll(async () => {
  await shutDown();
  console.log(times.join("\n"));
});

test("init --system without root changes nothing and refers to sudo", () => {
  run("cp hooklatch /tmp/hooklatch");
  const { exitCode, stderr } = attempt(
    "cd /; setpriv --reuid=65534 --clear-groups /tmp/hooklatch init --system",
  );
  expect([exitCode, stderr.includes("sudo")]).toEqual([1, true]);
  expect(
    attempt("cd /; setpriv --reuid=65534 --clear-groups /tmp/hooklatch init --system --dry-run").exitCode,
  ).toBe(0);
  expect(attempt("id hooklatch").exitCode).not.toBe(0);
  expect(attempt("ls /etc/hooklatch").exitCode).not.toBe(0);
});

test("sets up the service, and the first push is live", async () => {
  await measure("init --system", () => {
    const output = run(INIT);
    expect(output).toContain("Payload URL");
    expect(output).toContain(run("cat /etc/hooklatch/github.secret"));
    expect(output).toContain("systemctl enable --now hooklatch");
  });
  const before = listFiles();
  expect(run(INIT)).not.toContain("created");
  expect(listFiles()).toBe(before);
  // The next command finds a server that answers.
  await measure("systemctl enable --now", () => run("systemctl enable --now hooklatch 2>&1"));
  await measure("the first deployment", () => run("hooklatch deploy blog --follow"));
  expect(run("curl -fs http://127.0.0.1/")).toBe("first page");
  push("second page");
  await measure("from a delivery to the live page", () => deliver("second page"));
  expect(run("systemd-analyze verify --man=no /etc/systemd/system/hooklatch.service 2>&1")).toBe("");
  times.push(run("systemd-analyze security --no-pager hooklatch.service | tail -1"));
});

test("deploys a second site without a change of the unit", () => {
  run(`printf '\\n[[target]]\\nname = "shop"\\nsource = "github"\\nrepository = "octocat/shop"\\nbranch = "main"\\nclone_url = "http://127.0.0.1:8080/octocat/blog.git"\\ndirectory = "/srv/sites/shop"\\n' >> /etc/hooklatch/hooklatch.toml
    hooklatch reload; hooklatch deploy shop --follow`);
  expect(run("cat /srv/sites/shop/current/index.html")).toBe("second page");
});

test("deployments restart the named service, and no other", async () => {
  run(
    `sed -i 's/^# after = .*/after = ["systemctl restart nginx.service"]/' /etc/hooklatch/hooklatch.toml; hooklatch reload`,
  );
  const pid = () => run("systemctl show --property MainPID --value nginx.service");
  const before = pid();
  run("hooklatch deploy blog --follow");
  expect(pid()).not.toBe(before);
  for (const command of ["systemctl restart systemd-logind.service", "systemctl stop nginx.service"]) {
    run(`sed -i 's/^after = .*/after = ["${command}"]/' /etc/hooklatch/hooklatch.toml; hooklatch reload`);
    const { exitCode, stdout } = attempt("hooklatch deploy blog --follow");
    expect([exitCode, stdout.includes("nteractive authentication required")]).toEqual([1, true]);
  }
  run("sed -i 's/^after = .*//' /etc/hooklatch/hooklatch.toml; hooklatch reload");
});

test("runs again after a reboot, with its history", async () => {
  const history = run("hooklatch deployment list --json");
  await measure("reboot", async () => {
    await shutDown();
    await boot();
  });
  expect(run("hooklatch deployment list --json")).toBe(history);
  push("third page");
  await deliver("third page");
});

test("a second run keeps an edited configuration and says so", () => {
  const before = listFiles();
  const output = run(INIT);
  expect(output).toContain("differs  /etc/hooklatch/hooklatch.toml");
  expect(output).not.toContain("created");
  expect(listFiles()).toBe(before);
});
