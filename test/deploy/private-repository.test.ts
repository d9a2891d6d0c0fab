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
import { readRemoteTip } from "../../src/deploy/git/ls-remote.ts";
import { createRunProcess } from "../../src/deploy/process/process.ts";
import type { RunProcess } from "../../src/domain/layout.ts";
import type { RepositoryAccess, Target } from "../../src/domain/target.ts";
import { loadSecret } from "../providers/load-secret.ts";
import { type CertificatePair, makeCertificate } from "../support/certificate.ts";
import { GIT_ENV, git } from "../support/git.ts";
import { GitOverHttps } from "../support/git-over-https.ts";
import { hasSshd, makeKey, Sshd } from "../support/sshd.ts";
import { Site, snapshotText } from "./site.ts";

setDefaultTimeout(120_000);

const TOKEN = "t0ken-that-must-stay-secret";

let site: Site;
beforeEach(() => {
  site = new Site("releases");
  site.repository.commit({ "index.html": "one" });
});
afterEach(() => site.remove());

const at = (...path: readonly string[]) => join(site.root, ...path);
const page = () => readFileSync(join(site.live, "index.html"), "utf8");

function reachedAt(cloneUrl: string, access: Partial<RepositoryAccess>, env = {}): Partial<Target> {
  const repository = {
    fullName: "octocat/blog",
    ref: { kind: "branch", name: "main" } as const,
    cloneUrl,
    depth: null,
  };
  const full = { sshKey: null, knownHosts: null, token: null, ...access };
  return { repository, access: full, env: { ...GIT_ENV, ...env } };
}

/** Returns the reason why both a fetch and a query of the remote fail. */
async function reasonOf(target: Partial<Target>): Promise<string> {
  const result = await site.deploy(target);
  expect(result).toMatchObject({ state: "failed", code: "fetch_failed", steps: [] });
  const services = {
    run: createRunProcess({ killAfter: 100 }),
    env: { PATH: process.env.PATH, HOME: site.root },
  };
  const answer = await readRemoteTip(site.target(target), services);
  const reason = answer.kind === "unreachable" ? answer.reason : answer.kind;
  expect(result.reason).toEndWith(reason);
  return reason;
}

describe.skipIf(!hasSshd)("a private repository over SSH (needs an OpenSSH server)", () => {
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

  /** Prepares a reason for a snapshot. Keys, ports and the user differ from run to run. */
  const text = (reason: string, replacements: Readonly<Record<string, string>> = {}) => {
    const { username } = new URL(url());
    const own = { [sshd.line]: "<host key line>", [sshd.host]: "<host>", [`${username}@`]: "<user>@" };
    const common = { ...own, [fingerprintOf(at("sshd", "host.pub"))]: "<host key fingerprint>" };
    return snapshotText(reason, { ...common, ...replacements });
  };

  test("deploys with the key from a known host", async () => {
    const result = await site.deploy(reachedAt(url(), access()));
    expect(result).toMatchObject({ state: "succeeded", reason: null });
    expect(page()).toBe("one");
  });

  test("does not pass the key to steps", async () => {
    const { lines } = await site.deploy({ ...reachedAt(url(), access()), run: ["env"] });
    expect(lines.filter((line) => line.startsWith("GIT_SSH"))).toEqual([]);
  });

  test("reports the line to add for an unknown host, and adding it is enough", async () => {
    const file = at("keys", "known hosts");
    writeFileSync(file, "");
    const reason = await reasonOf(reachedAt(url(), access()));
    for (const fact of [sshd.host, file, `ssh-ed25519 ${fingerprintOf(at("sshd", "host.pub"))}`]) {
      expect(reason).toContain(fact);
    }
    expect(reason).toEndWith(sshd.line);
    expect(text(reason)).toMatchSnapshot();
    expect(readFileSync(file, "utf8")).toBe("");
    writeFileSync(file, `${reason.slice(reason.lastIndexOf(sshd.host))}\n`);
    expect((await site.deploy(reachedAt(url(), access()))).state).toBe("succeeded");
  });

  test("warns of an interception when the host key has changed", async () => {
    // Reasons are limited to 500 characters. A short path leaves room for a longer temporary directory.
    const file = at("k h");
    writeFileSync(file, `${sshd.host} ${makeKey(at("keys", "other"))}\n`);
    const reason = await reasonOf(reachedAt(url(), access({ knownHosts: file })));
    for (const fact of [
      sshd.host,
      file,
      `ssh-ed25519 ${fingerprintOf(at("sshd", "host.pub"))}`,
      `ssh-keygen -f '${file}' -R '${sshd.host}'`,
    ]) {
      expect(reason).toContain(fact);
    }
    expect(reason).toEndWith(sshd.line);
    expect(text(reason)).toMatchSnapshot();
  });

  test("reports how to find a host key that is too long for a reason", async () => {
    const other = await Sshd.start(at("rsa"), makeKey(at("keys", "other")), "rsa");
    const reason = await reasonOf(reachedAt(other.url("/"), access()));
    other.stop();
    const fingerprint = fingerprintOf(at("rsa", "host.pub"));
    expect(reason).toContain(`ssh-rsa ${fingerprint}`);
    expect(reason).toContain(`ssh-keyscan -p ${other.port} 127.0.0.1`);
    const replacements = {
      [fingerprint]: "<host key fingerprint>",
      [other.host]: "<host>",
      [`-p ${other.port}`]: "-p <port>",
    };
    expect(text(reason, replacements)).toMatchSnapshot();
  });

  test("reads the account's own SSH settings when the target has none", async () => {
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
    const reason = await reasonOf(reachedAt(`ada@127.0.0.1:${site.repository.path}`, {}, env));
    for (const fact of [sshd.host, at("keys", "none")]) expect(reason).toContain(fact);
    expect(text(reason)).toMatchSnapshot();
  });

  test("names the key that the host rejects", async () => {
    makeKey(at("keys", "other"));
    const reason = await reasonOf(reachedAt(url(), access({ sshKey: at("keys", "other") })));
    const fingerprint = fingerprintOf(at("keys", "other.pub"));
    for (const fact of ["Permission denied (publickey)", at("keys", "other"), fingerprint]) {
      expect(reason).toContain(fact);
    }
    expect(text(reason, { [fingerprint]: "<key fingerprint>" })).toMatchSnapshot();
  });

  test("reports a key file that is missing or readable by others", async () => {
    const missing = await reasonOf(reachedAt(url(), access({ sshKey: at("keys", "nothing") })));
    expect(missing).toContain(at("keys", "nothing"));
    chmodSync(at("keys", "my key"), 0o644);
    const open = await reasonOf(reachedAt(url(), access()));
    for (const fact of [at("keys", "my key"), "chmod 600"]) expect(open).toContain(fact);
    expect([missing, open].map((reason) => text(reason))).toMatchSnapshot();
  });

  test("reports a key with a passphrase", async () => {
    const key = at("keys", "my key");
    Bun.spawnSync(["ssh-keygen", "-q", "-p", "-N", "secret words", "-f", key]);
    const reason = await reasonOf(reachedAt(url(), access()));
    expect(reason).toContain(key);
    expect(text(reason)).toMatchSnapshot();
  });

  test("reports the error of git when the repository does not exist", async () => {
    const reason = await reasonOf(reachedAt(sshd.url("/nowhere.git"), access()));
    expect(reason).toEndWith("'/nowhere.git' does not appear to be a git repository");
  });
});

function fingerprintOf(path: string): string {
  return Bun.spawnSync(["ssh-keygen", "-lf", path]).stdout.toString().split(" ")[1] ?? "";
}

describe("a private repository over HTTPS", () => {
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

  test("deploys with the token and keeps it out of arguments, output, reasons and files", async () => {
    const seen: string[] = [];
    const real = createRunProcess({ killAfter: 100 });
    const run: RunProcess = async (argv, options) => {
      seen.push(...argv);
      const polling = setInterval(() => seen.push(...argumentsOfAll()), 1);
      try {
        return await real(argv, options);
      } finally {
        clearInterval(polling);
      }
    };
    const traced = { ...trusted(), GIT_TRACE: "1", GIT_TRACE_CURL: "1", GIT_TRACE_REDACT: "0" };
    const target = { ...reachedAt(url(), { token }, traced), run: ["env", "git config --list"] };
    const result = await site.deploy(target, { run });
    expect(result).toMatchObject({ state: "succeeded", reason: null });
    expect(page()).toBe("one");
    expect(server.seen.map(({ authorization }) => authorization)).toContain(
      `Basic ${btoa(`x-access-token:${TOKEN}`)}`,
    );

    expect(seen.some((argument) => argument.includes("git-remote-https"))).toBe(true);
    const everything = [...seen, ...result.lines, String(result.reason), ...filesBelow(site.directory)].join(
      "\n",
    );
    expect(everything).toContain(url());
    for (const secret of [TOKEN, btoa(`x-access-token:${TOKEN}`)]) expect(everything).not.toContain(secret);
  });

  test("names the setting to check when the token is wrong or missing, and never prompts", async () => {
    const wrong = await reasonOf(reachedAt(url(), { token: loadSecret("wrong") }, trusted()));
    const missing = await reasonOf(reachedAt(url(), {}, trusted()));
    for (const reason of [wrong, missing]) {
      for (const fact of [server.origin, "`token`"]) expect(reason).toContain(fact);
    }
    expect([wrong, missing].map((reason) => snapshotText(reason))).toMatchSnapshot();
  });

  test("tries no stored password when the token is rejected", async () => {
    const helper = `!f() { touch '${at("helper-ran")}'; echo username=x; echo password=${TOKEN}; }; f`;
    git(site.root, "config", "--file", at("gitconfig"), "credential.helper", helper);
    const env = { ...trusted(), GIT_CONFIG_GLOBAL: at("gitconfig") };
    await reasonOf(reachedAt(url(), { token: loadSecret("wrong") }, env));
    expect(await Bun.file(at("helper-ran")).exists()).toBe(false);
  });

  test("follows no redirect with the token and names the setting to correct", async () => {
    const elsewhere = new GitOverHttps(site.root, certificate, null);
    const moved = new GitOverHttps(site.root, certificate, null, ({ url }) =>
      Response.redirect(`${elsewhere.origin}${new URL(url).pathname}?service=git-upload-pack`, 301),
    );
    const reason = await reasonOf(reachedAt(moved.url("repository/.git"), { token }, trusted()));
    expect(reason).toContain("`clone_url`");
    expect(snapshotText(reason)).toMatchSnapshot();
    expect(elsewhere.seen).toEqual([]);
    await Promise.all([elsewhere.stop(), moved.stop()]);
  });

  test("reports a token without access to the repository", async () => {
    const closed = new GitOverHttps(site.root, certificate, null, () => new Response("", { status: 403 }));
    const reason = await reasonOf(reachedAt(closed.url("repository/.git"), { token }, trusted()));
    expect(reason).toContain("`token`");
    expect(snapshotText(reason)).toMatchSnapshot();
    await closed.stop();
  });
});

/** The arguments of all processes (proc(5)). */
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
