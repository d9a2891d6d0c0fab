import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Target } from "../../src/domain/target.ts";
import { GIT_ENV } from "../support/git.ts";
import { type Outcome, Site } from "./site.ts";

setDefaultTimeout(120_000);

let site: Site;
let signers: Pick<Target, "allowedSigners">;

const path = (name: string) => join(site.root, name);
const makeKey = (name: string) =>
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path(name)]);

/** Commits, signed with the key of this name. */
function commitSigned(text: string, key: string): string {
  const settings = ["-c", "gpg.format=ssh", "-c", `user.signingKey=${path(key)}`];
  writeFileSync(join(site.repository.path, "index.html"), text);
  site.repository.git("add", "--all");
  site.repository.git(...settings, "commit", "--quiet", "-S", "--message", text);
  return site.repository.tip;
}

/** Commits with something in the place of a signature. */
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

/** What was refused is nowhere, and nothing ran. */
function expectRefused(ending: Outcome, commit: string, why: string | RegExp): void {
  expect(ending).toMatchObject({ state: "failed", commit, release: null, steps: [] });
  const [before, reason] = ending.reason?.split(" in allowed_signers: ") ?? [];
  expect(before).toBe(`commit ${commit.slice(0, 12)} has no valid signature by a key`);
  if (typeof why === "string") expect(reason).toBe(why);
  else expect(reason).toMatch(why);
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

  test("refuses a commit without a signature, on top of signed ones too", async () => {
    commitSigned("signed", "ada");
    const commit = site.repository.commit({ "index.html": "unsigned" });
    expectRefused(await deploy(NEVER), commit, "it has no SSH signature");
  });

  test("refuses a commit signed by somebody else", async () => {
    const commit = commitSigned("signed", "eve");
    expectRefused(await deploy(NEVER), commit, /No principal matched/);
  });

  test("refuses a signature that was made for another commit", async () => {
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
    expectRefused(await deploy(NEVER), commit, /./);
  });

  test.each(["PGP SIGNATURE", "PGP MESSAGE", "SIGNED MESSAGE"])(
    "does not ask another program what it says of a %s",
    async (kind) => {
      const commit = commitWith(`-----BEGIN ${kind}-----\n\naGVsbG8=\n-----END ${kind}-----`);
      const program = path("trusting");
      const good =
        "[GNUPG:] NEWSIG\\n[GNUPG:] GOODSIG 0123456789ABCDEF Ada\\n[GNUPG:] TRUST_ULTIMATE 0 pgp\\n";
      writeFileSync(program, `#!/bin/sh\ntouch ${path("asked")}\nprintf '\\n${good}'\n`, { mode: 0o755 });
      writeFileSync(
        path("gitconfig"),
        `[gpg]\n\tprogram = ${program}\n[gpg "openpgp"]\n\tprogram = ${program}\n[gpg "x509"]\n\tprogram = ${program}\n`,
      );
      const env = { ...GIT_ENV, GIT_CONFIG_GLOBAL: path("gitconfig") };
      expectRefused(await deploy({ ...NEVER, env }), commit, "it has no SSH signature");
      expect(existsSync(path("asked"))).toBe(false);
    },
  );

  test("refuses everything when the file of allowed signers is gone", async () => {
    const commit = commitSigned("signed", "ada");
    expectRefused(await deploy({ ...NEVER, allowedSigners: path("nowhere") }), commit, /./);
  });

  test("reads the target's own file, whatever the account's configuration names", async () => {
    const commit = commitSigned("signed", "eve");
    writeFileSync(path("more-signers"), `eve@example.com ${readFileSync(path("eve.pub"), "utf8")}`);
    writeFileSync(path("gitconfig"), `[gpg "ssh"]\n\tallowedSignersFile = ${path("more-signers")}\n`);
    const env = { ...GIT_ENV, GIT_CONFIG_GLOBAL: path("gitconfig") };
    expectRefused(await deploy({ ...NEVER, env }), commit, /No principal matched/);
  });

  test("holds for a commit that a person chose", async () => {
    const unsigned = site.repository.tip;
    commitSigned("signed", "ada");
    const deployment = { trigger: "manual", choice: { kind: "commit", commit: unsigned } } as const;
    expectRefused(await deploy(NEVER, { deployment }), unsigned, "it has no SSH signature");
  });
});

test("does not hold for going back to a release that was deployed before", async () => {
  site = new Site("releases");
  site.repository.commit({ "index.html": "one" });
  const { release } = await site.deploy();
  site.repository.commit({ "index.html": "two" });
  await site.deploy();
  const deployment = { trigger: "rollback", choice: { kind: "release", release: null } } as const;
  const ending = await site.deploy({ allowedSigners: "/nowhere" }, { deployment });
  expect(ending).toMatchObject({ state: "succeeded", release });
  site.remove();
});
