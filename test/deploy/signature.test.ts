import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Target } from "../../src/domain/target.ts";
import { GIT_ENV } from "../support/git.ts";
import { type Outcome, Site, snapshotText } from "./site.ts";

setDefaultTimeout(120_000);

let site: Site;
let signers: Pick<Target, "allowedSigners">;

const path = (name: string) => join(site.root, name);
const makeKey = (name: string) =>
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path(name)]);

/** Creates a commit signed with the key of this name. */
function commitSigned(text: string, key: string): string {
  const settings = ["-c", "gpg.format=ssh", "-c", `user.signingKey=${path(key)}`];
  writeFileSync(join(site.repository.path, "index.html"), text);
  site.repository.git("add", "--all");
  site.repository.git(...settings, "commit", "--quiet", "-S", "--message", text);
  return site.repository.tip;
}

/** Replaces the last commit by one with the given text as its signature. */
function commitWith(signature: string): string {
  const [headers = "", message = ""] = site.repository.git("cat-file", "commit", "HEAD").split("\n\n");
  const signed = `${headers}\ngpgsig ${signature.replaceAll("\n", "\n ")}\n\n${message}\n`;
  writeFileSync(path("object"), signed);
  const commit = site.repository.git("hash-object", "-t", "commit", "-w", path("object"));
  site.repository.git("reset", "--quiet", "--hard", commit);
  return commit;
}

const deploy = (target: Partial<Target> = {}, options: Parameters<Site["deploy"]>[1] = {}) =>
  site.deploy({ ...signers, ...target }, options);

/**
 * Expects a rejection with nothing deployed and no step run. The reason contains `gitMessage`; null expects no output
 * of git at all.
 */
function expectRejected(result: Outcome, commit: string, gitMessage: string | null): void {
  const code = "commit_not_signed";
  expect(result).toMatchObject({ state: "failed", code, commit, release: null, steps: [] });
  for (const fact of [commit.slice(0, 12), "allowed_signers"]) expect(result.reason).toContain(fact);
  const verification = result.lines.findIndex((line) => line.startsWith("$ git verify-commit"));
  const output = result.lines.slice(verification + 1);
  if (gitMessage === null) {
    expect(output).toEqual([]);
    expect(snapshotText(result.reason)).toMatchSnapshot();
  } else {
    expect(result.reason).toContain(gitMessage);
    // The output of git depends on its version.
    const [ours, ...others] = result.reason?.split(String(output[0])) ?? [];
    expect(others).toHaveLength(1);
    expect(snapshotText(`${ours}<git's output>`)).toMatchSnapshot();
  }
  expect(existsSync(join(site.live, "index.html"))).toBe(false);
  if (site.layout === "releases") expect(readdirSync(join(site.directory, "releases"))).toEqual([]);
}

describe.each(["releases", "worktree"])("layout %s", (layout) => {
  beforeEach(() => {
    site = new Site(layout);
    for (const name of ["ada", "eve"]) makeKey(name);
    writeFileSync(path("signers"), `ada@example.com ${readFileSync(path("ada.pub"), "utf8")}`);
    signers = { allowedSigners: path("signers") };
    site.repository.commit({ "index.html": "unsigned" });
  });
  afterEach(() => site.remove());

  const NEVER = { run: ["echo never"] };

  test("deploys a commit by an allowed signer", async () => {
    const commit = commitSigned("signed", "ada");
    expect(await deploy()).toMatchObject({ state: "succeeded", reason: null, commit });
    expect(readFileSync(join(site.live, "index.html"), "utf8")).toBe("signed");
  });

  test("rejects a commit without a signature, even on top of signed commits", async () => {
    commitSigned("signed", "ada");
    const commit = site.repository.commit({ "index.html": "unsigned" });
    expectRejected(await deploy(NEVER), commit, null);
  });

  test("rejects a commit signed by another key", async () => {
    const commit = commitSigned("signed", "eve");
    expectRejected(await deploy(NEVER), commit, "No principal matched");
  });

  test("rejects a signature of another commit", async () => {
    commitSigned("signed", "ada");
    const lines = site.repository.git("cat-file", "commit", "HEAD").split("\n");
    const from = lines.findIndex((line) => line.startsWith("gpgsig "));
    const to = lines.findIndex((line) => line.includes("END SSH SIGNATURE"));
    const signature = lines
      .slice(from, to + 1)
      .map((line) => line.replace(/^(gpgsig)? /, ""))
      .join("\n");
    site.repository.commit({ "index.html": "another" });
    const commit = commitWith(signature);
    expectRejected(await deploy(NEVER), commit, "");
  });

  test.each(["PGP SIGNATURE", "PGP MESSAGE", "SIGNED MESSAGE"])(
    "does not run another program to verify a %s",
    async (kind) => {
      const commit = commitWith(`-----BEGIN ${kind}-----\n\naGVsbG8=\n-----END ${kind}-----`);
      const program = path("trusting");
      const good =
        "[GNUPG:] NEWSIG\\n[GNUPG:] GOODSIG 0123456789ABCDEF Ada\\n[GNUPG:] TRUST_ULTIMATE 0 pgp\\n";
      writeFileSync(program, `#!/bin/sh\ntouch ${path("program-ran")}\nprintf '\\n${good}'\n`, {
        mode: 0o755,
      });
      writeFileSync(
        path("gitconfig"),
        `[gpg]\n\tprogram = ${program}\n[gpg "openpgp"]\n\tprogram = ${program}\n[gpg "x509"]\n\tprogram = ${program}\n`,
      );
      const env = { ...GIT_ENV, GIT_CONFIG_GLOBAL: path("gitconfig") };
      expectRejected(await deploy({ ...NEVER, env }), commit, null);
      expect(existsSync(path("program-ran"))).toBe(false);
    },
  );

  test("rejects every commit when the file of allowed signers is missing", async () => {
    const commit = commitSigned("signed", "ada");
    expectRejected(await deploy({ ...NEVER, allowedSigners: path("nowhere") }), commit, "");
  });

  test("reads the file of the target, not the one in the git configuration of the account", async () => {
    const commit = commitSigned("signed", "eve");
    writeFileSync(path("more-signers"), `eve@example.com ${readFileSync(path("eve.pub"), "utf8")}`);
    writeFileSync(path("gitconfig"), `[gpg "ssh"]\n\tallowedSignersFile = ${path("more-signers")}\n`);
    const env = { ...GIT_ENV, GIT_CONFIG_GLOBAL: path("gitconfig") };
    expectRejected(await deploy({ ...NEVER, env }), commit, "No principal matched");
  });

  test("also verifies a commit that a person chose", async () => {
    const unsigned = site.repository.tip;
    commitSigned("signed", "ada");
    const deployment = { trigger: "manual", choice: { kind: "commit", commit: unsigned } } as const;
    expectRejected(await deploy(NEVER, { deployment }), unsigned, null);
  });
});

test("verifies no signature for a rollback", async () => {
  site = new Site("releases");
  site.repository.commit({ "index.html": "one" });
  const { release } = await site.deploy();
  site.repository.commit({ "index.html": "two" });
  await site.deploy();
  const deployment = { trigger: "rollback", choice: { kind: "release", release: null } } as const;
  const result = await site.deploy({ allowedSigners: "/nowhere" }, { deployment });
  expect(result).toMatchObject({ state: "succeeded", release });
  site.remove();
});
