import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createRunProcess } from "../../src/deploy/process.ts";
import { askTip } from "../../src/deploy/remote.ts";
import type { RunProcess } from "../../src/domain/layout.ts";
import type { RepositoryAccess, Target } from "../../src/domain/target.ts";
import { loadSecret } from "../providers/load-secret.ts";
import { type CertificatePair, makeCertificate } from "../support/certificate.ts";
import { GIT_ENV, git } from "../support/git.ts";
import { GitOverHttps } from "../support/git-over-https.ts";
import { hasSshd, makeKey, Sshd } from "../support/sshd.ts";
import { Site } from "./site.ts";

setDefaultTimeout(120_000);

const TOKEN = "t0ken-that-nobody-may-see";

let site: Site;
beforeEach(() => {
  site = new Site("releases");
  site.repository.commit({ "index.html": "one" });
});
afterEach(() => site.remove());

const at = (...path: readonly string[]) => join(site.root, ...path);
const page = () => readFileSync(join(site.live, "index.html"), "utf8");

function reached(cloneUrl: string, access: Partial<RepositoryAccess>, env = {}): Partial<Target> {
  const watch = { repository: "octocat/blog", ref: { kind: "branch", name: "main" } as const, cloneUrl };
  const full = { sshKey: null, knownHosts: null, token: null, ...access };
  return { watch, access: full, env: { ...GIT_ENV, ...env } };
}

/** What a fetch and a question to the other end say of why they failed: the same. */
async function reasonsFor(target: Partial<Target>): Promise<string> {
  const ending = await site.deploy(target);
  expect(ending).toMatchObject({ state: "failed", steps: [] });
  const tools = {
    run: createRunProcess({ killAfter: 100 }),
    env: { PATH: process.env.PATH, HOME: site.root },
  };
  const answer = await askTip(site.target(target), tools);
  const reason = answer.kind === "unreachable" ? answer.reason : answer.kind;
  expect(ending.reason).toBe(`git fetch ${reason}`);
  return reason;
}

describe.skipIf(!hasSshd)("over ssh (needs an OpenSSH server)", () => {
  let sshd: Sshd;
  beforeEach(async () => {
    mkdirSync(at("keys"));
    sshd = await Sshd.start(at("sshd"), makeKey(at("keys", "my key")));
    writeFileSync(at("keys", "known hosts"), `${sshd.line}\n`);
  });
  afterEach(() => sshd.stop());

  const access = (changes: Partial<RepositoryAccess> = {}) => ({
    sshKey: at("keys", "my key"),
    knownHosts: at("keys", "known hosts"),
    ...changes,
  });
  const url = () => sshd.url(site.repository.path);

  test("deploys with the key, to a host that is known", async () => {
    const ending = await site.deploy(reached(url(), access()));
    expect(ending).toMatchObject({ state: "succeeded", reason: null });
    expect(page()).toBe("one");
  });

  test("hands the key to no step", async () => {
    const { lines } = await site.deploy({ ...reached(url(), access()), run: ["env"] });
    expect(lines.filter((line) => line.startsWith("GIT_SSH"))).toEqual([]);
  });

  test("tells the line to add when the host is not known, and adding it is enough", async () => {
    const file = at("keys", "known hosts");
    writeFileSync(file, "");
    const reason = await reasonsFor(reached(url(), access()));
    const fingerprint = fingerprintOf(at("sshd", "host.pub"));
    const advice = "compare that with what the host publishes, then add this line: ";
    const told = `the host key of ${sshd.host} is not in ${file}: it shows ssh-ed25519 ${fingerprint}; ${advice}`;
    expect(reason).toBe(`failed: ${told}${sshd.line}`);
    expect(readFileSync(file, "utf8")).toBe("");
    writeFileSync(file, `${reason.slice(reason.indexOf(advice) + advice.length)}\n`);
    expect((await site.deploy(reached(url(), access()))).state).toBe("succeeded");
  });

  test("warns that somebody may be in between when the host's key has changed", async () => {
    const file = at("keys", "known hosts");
    writeFileSync(file, `${sshd.host} ${makeKey(at("keys", "other"))}\n`);
    const reason = await reasonsFor(reached(url(), access()));
    expect(reason).toStartWith(`failed: the host key of ${sshd.host} is not the one in ${file} any more`);
    expect(reason).toContain(
      `shows ssh-ed25519 ${fingerprintOf(at("sshd", "host.pub"))} now: somebody may be in between`,
    );
    expect(reason).toContain(`(ssh-keygen -f '${file}' -R '${sshd.host}')`);
    expect(reason).toEndWith(sshd.line);
  });

  test("tells where to find a host key that is too long to tell", async () => {
    const other = await Sshd.start(at("rsa"), makeKey(at("keys", "other")), "rsa");
    const reason = await reasonsFor(reached(other.url("/"), access()));
    other.stop();
    expect(reason).toContain(`it shows ssh-rsa ${fingerprintOf(at("rsa", "host.pub"))}; `);
    expect(reason).toEndWith(
      `add the line with that fingerprint which ssh-keyscan -p ${other.port} 127.0.0.1 prints`,
    );
  });

  test("reads the account's own ssh settings where the target has none", async () => {
    const settings = {
      Port: sshd.port,
      UserKnownHostsFile: at("keys", "none"),
      StrictHostKeyChecking: "yes",
    };
    writeFileSync(
      at("ssh_config"),
      Object.entries(settings)
        .map(([key, value]) => `${key} ${value}\n`)
        .join(""),
    );
    const env = { GIT_SSH_COMMAND: `ssh -F '${at("ssh_config")}'` };
    const reason = await reasonsFor(reached(`ada@127.0.0.1:${site.repository.path}`, {}, env));
    expect(reason).toStartWith(
      `failed: the host key of ${sshd.host} is not in ${at("keys", "none")}: it shows`,
    );
  });

  test("names the key that the host does not take", async () => {
    makeKey(at("keys", "other"));
    const reason = await reasonsFor(reached(url(), access({ sshKey: at("keys", "other") })));
    expect(reason).toMatch(
      /^failed: \S+@127\.0\.0\.1: Permission denied \(publickey\): the host does not take /,
    );
    expect(reason).toEndWith(`the key ${at("keys", "other")} (${fingerprintOf(at("keys", "other.pub"))})`);
  });

  test("says so when the key file is missing, or open to others", async () => {
    const missing = await reasonsFor(reached(url(), access({ sshKey: at("keys", "nothing") })));
    expect(missing).toBe(`failed: there is no key ${at("keys", "nothing")}`);
    chmodSync(at("keys", "my key"), 0o644);
    const open = await reasonsFor(reached(url(), access()));
    expect(open).toBe(
      `failed: ssh does not take the key ${at("keys", "my key")}, as others may read it: chmod 600 it`,
    );
  });

  test("says so when the key has a passphrase", async () => {
    const key = at("keys", "my key");
    Bun.spawnSync(["ssh-keygen", "-q", "-p", "-N", "secret words", "-f", key]);
    const reason = await reasonsFor(reached(url(), access()));
    expect(reason).toEndWith(`the key ${key}, which has a passphrase that nobody is there to type`);
  });

  test("fails with git's own words when the repository is not there", async () => {
    const reason = await reasonsFor(reached(sshd.url("/nowhere.git"), access()));
    expect(reason).toBe("failed: '/nowhere.git' does not appear to be a git repository");
  });
});

function fingerprintOf(path: string): string {
  return Bun.spawnSync(["ssh-keygen", "-lf", path]).stdout.toString().split(" ")[1] ?? "";
}

describe("over https", () => {
  let certificate: CertificatePair;
  let certificates: Site;
  let server: GitOverHttps;
  beforeAll(() => {
    certificates = new Site("releases");
    certificate = makeCertificate(certificates.root, "server");
  });
  afterAll(() => certificates.remove());
  beforeEach(() => {
    server = new GitOverHttps(site.root, certificate, `x-access-token:${TOKEN}`);
  });
  afterEach(() => server.stop());

  const trusted = () => ({ GIT_SSL_CAINFO: certificate.cert });
  const token = loadSecret(TOKEN);
  const url = () => server.url("repository/.git");

  test("deploys with the token, which is in no argument, line, reason or file", async () => {
    const seen: string[] = [];
    const real = createRunProcess({ killAfter: 100 });
    const run: RunProcess = async (argv, options) => {
      seen.push(...argv);
      const spying = setInterval(() => seen.push(...argumentsOfAll()), 1);
      try {
        return await real(argv, options);
      } finally {
        clearInterval(spying);
      }
    };
    const traced = { ...trusted(), GIT_TRACE: "1", GIT_TRACE_CURL: "1", GIT_TRACE_REDACT: "0" };
    const target = { ...reached(url(), { token }, traced), run: ["env", "git config --list"] };
    const ending = await site.deploy(target, { run });
    expect(ending).toMatchObject({ state: "succeeded", reason: null });
    expect(page()).toBe("one");
    expect(server.seen.map(({ authorization }) => authorization)).toContain(
      `Basic ${btoa(`x-access-token:${TOKEN}`)}`,
    );

    expect(seen.some((argument) => argument.includes("git-remote-https"))).toBe(true);
    const everything = [...seen, ...ending.lines, String(ending.reason), ...filesBelow(site.directory)].join(
      "\n",
    );
    expect(everything).toContain(url());
    for (const secret of [TOKEN, btoa(`x-access-token:${TOKEN}`)]) expect(everything).not.toContain(secret);
  });

  test("says which setting to look at when the token is wrong or missing, and asks nobody", async () => {
    const wrong = await reasonsFor(reached(url(), { token: loadSecret("wrong") }, trusted()));
    expect(wrong).toBe(`failed: authentication failed at ${server.origin}: check \`token\``);
    const missing = await reasonsFor(reached(url(), {}, trusted()));
    expect(missing).toContain("there is no such repository, or it needs a `token`");
  });

  test("tries no stored password when the token is refused", async () => {
    const helper = `!f() { touch '${at("asked")}'; echo username=x; echo password=${TOKEN}; }; f`;
    git(site.root, "config", "--file", at("gitconfig"), "credential.helper", helper);
    const env = { ...trusted(), GIT_CONFIG_GLOBAL: at("gitconfig") };
    await reasonsFor(reached(url(), { token: loadSecret("wrong") }, env));
    expect(await Bun.file(at("asked")).exists()).toBe(false);
  });

  test("follows no redirect with it, and says where the fault lies", async () => {
    const elsewhere = new GitOverHttps(site.root, certificate, null);
    const moved = new GitOverHttps(site.root, certificate, null, ({ url }) =>
      Response.redirect(`${elsewhere.origin}${new URL(url).pathname}?service=git-upload-pack`, 301),
    );
    const reason = await reasonsFor(reached(moved.url("repository/.git"), { token }, trusted()));
    expect(reason).toContain("has moved: correct `clone_url`");
    expect(elsewhere.seen).toEqual([]);
    await Promise.all([elsewhere.stop(), moved.stop()]);
  });

  test("says so when the token opens something else only", async () => {
    const closed = new GitOverHttps(site.root, certificate, null, () => new Response("", { status: 403 }));
    const reason = await reasonsFor(reached(closed.url("repository/.git"), { token }, trusted()));
    expect(reason).toContain("is forbidden: the `token` does not open it");
    await closed.stop();
  });
});

/** The arguments of every process there is (proc(5)). */
function argumentsOfAll(): readonly string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "latin1");
      } catch {
        return "";
      }
    });
}

/** The content of every file below a directory. */
function filesBelow(directory: string): readonly string[] {
  const entries = readdirSync(directory, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => readFileSync(join(parentPath, name), "latin1"));
}
