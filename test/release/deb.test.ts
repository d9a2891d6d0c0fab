import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDeb } from "../../.github/release/deb.ts";
import { EXECUTABLE } from "../support/executable.ts";
import { IS_LONG } from "./long.ts";
import { canMount, openRoot, type Root } from "./root.ts";

const work = mkdtempSync(join(tmpdir(), "hooklatch-deb-test-"));
afterAll(() => rmSync(work, { recursive: true }));

const TIME = new Date("2026-11-29T12:00:00Z");
const SERVER = "http://127.0.0.1:9000";

function build(version: string, directory: string, compression: "gzip" | "none" = "none"): Promise<string> {
  const out = join(work, directory);
  mkdirSync(out, { recursive: true });
  const options = {
    version,
    architecture: "amd64",
    executable: EXECUTABLE,
    time: TIME,
    out,
    compression,
  } as const;
  return createDeb(options).then((name) => join(out, name));
}

describe.if(Bun.which("dpkg-deb") !== null)("the Debian package (needs dpkg-deb)", () => {
  let first = "";
  beforeAll(async () => {
    first = await build("1.0.0", "first");
  });

  test("is the same bit for bit when it is built again", async () => {
    const digest = (file: string) => Bun.hash(readFileSync(file));
    expect(digest(await build("1.0.0", "again"))).toBe(digest(first));
  });

  test("has complete manual pages without faults", () => {
    const tree = join(work, "tree");
    expect(Bun.spawnSync(["dpkg-deb", "-x", first, tree]).exitCode).toBe(0);
    const read = (page: string) => {
      const text = Bun.gunzipSync(readFileSync(join(tree, "usr/share/man", page)));
      return Buffer.from(text).toString();
    };
    for (const command of ["serve", "target deploy", "completion"]) {
      expect(read("man1/hooklatch.1.gz")).toContain(`.SS hooklatch ${command}\n`);
    }
    expect(read("man5/hooklatch.toml.5.gz")).toContain(".SS \\fBtarget.repository\\fR\n");
    if (Bun.which("man") === null) return;
    for (const page of ["man1/hooklatch.1.gz", "man5/hooklatch.toml.5.gz"]) {
      const { stderr, exitCode } = Bun.spawnSync([
        "man",
        "--warnings",
        "-l",
        join(tree, "usr/share/man", page),
      ]);
      expect([stderr.toString(), exitCode]).toEqual(["", 0]);
    }
  });

  test("never asks at an upgrade whether to keep the configuration", () => {
    // dpkg asks everybody with a configuration of their own when the packaged file changes.
    const file = readFileSync(join(work, "tree/etc/hooklatch/hooklatch.toml"), "utf8");
    expect(file).toMatchSnapshot();
    expect(file).toMatch(/^(?:#.*\n)+$/);
  });

  // lintian is a Debian package; it takes half a minute.
  test.if(IS_LONG && Bun.which("lintian") !== null)(
    "has nothing that lintian objects to (in test:release; needs lintian)",
    async () => {
      const file = await build("1.0.0", "compressed", "gzip");
      const { stdout } = Bun.spawnSync(["lintian", "--allow-root", "--fail-on", "none", file]);
      expect(stdout.toString()).toBe("");
    },
  );

  describe.if(canMount)("in a copy of this system (needs root)", () => {
    let root: Root;
    beforeAll(async () => {
      root = await openRoot();
      copyFileSync(first, root.path("opt/first.deb"));
      // A newer version, whose configuration is the same: see "never asks …".
      await root.run(`cd /opt && dpkg-deb -R first.deb tree && sed -i "s/^Version: .*/Version: 1.1.0/" tree/DEBIAN/control &&
        dpkg-deb -Znone -b tree second.deb && rm -r tree`);
    });
    afterAll(() => root.close());

    test("installs a configuration with comments only, directories and a user, and starts nothing", async () => {
      await root.run("dpkg -i /opt/first.deb");
      const access = "stat -c '%A %U:%G %n' /etc/hooklatch /etc/hooklatch/* /var/lib/hooklatch";
      expect((await root.run(access)).split("\n")).toEqual([
        "drwxr-x--- root:hooklatch /etc/hooklatch",
        "-rw-r----- root:hooklatch /etc/hooklatch/hooklatch.toml",
        "drwx------ hooklatch:hooklatch /var/lib/hooklatch",
      ]);
      expect(await root.run("getent passwd hooklatch")).toContain(":/var/lib/hooklatch:/usr/sbin/nologin");
      expect(await root.run("ls /etc/systemd/system/multi-user.target.wants")).not.toContain("hooklatch");
      expect(await root.run("hooklatch --version")).toStartWith("hooklatch ");
      await root.run("test -s /usr/share/zsh/vendor-completions/_hooklatch");
      await root.run("test -s /usr/share/fish/vendor_completions.d/hooklatch.fish");
      const complete = `. /usr/share/bash-completion/completions/hooklatch
        COMP_WORDS=(hooklatch tar); COMP_CWORD=1; _hooklatch; echo "$COMPREPLY"`;
      expect(await root.run(`bash -c '${complete}'`)).toBe("target");
      expect(
        await root.run("systemd-analyze verify --man=no hooklatch.service 2>&1 | grep -i hooklatch || true"),
      ).toBe("");
    });

    /** Starts the server as the service's user, and waits until it answers. */
    const START = `cd / && (setpriv --reuid=hooklatch --regid=hooklatch --clear-groups /usr/bin/hooklatch serve >/tmp/log 2>&1 &
      echo $! >/tmp/pid); for i in $(seq 200); do curl -fs ${SERVER}/healthz >/dev/null && exit; sleep 0.1; done; cat /tmp/log >&2; exit 1`;
    const STOP = `kill $(cat /tmp/pid); while curl -fs ${SERVER}/healthz; do sleep 0.1; done`;

    test("starts with the default sources before it is set up", async () => {
      await root.run(`export HOOKLATCH_DATA_DIR=/var/lib/hooklatch; ${START}`);
      expect(await root.run(`grep -F 'using the default sources' /tmp/log`)).toContain('"level":"info"');
      await root.run(STOP);
    });

    test("is set up by init --system, which replaces the comments and nothing else", async () => {
      const init = "hooklatch init --system --repository octocat/blog --url https://hooks.example.com";
      const output = await root.run(`mkdir -p /run/systemd/system; PATH=/opt/fake:$PATH; mkdir -p /opt/fake
        printf '#!/bin/sh\\n' >/opt/fake/systemctl; chmod +x /opt/fake/systemctl; ${init} --restart nginx`);
      expect(output.match(/^created .*/gm)?.map((line) => line.replace(/^created +(\S+).*/, "$1"))).toEqual([
        "/srv/sites",
        "/srv/sites/blog",
        "/etc/hooklatch/github.secret",
        "/etc/hooklatch/hooklatch.toml",
        "/etc/polkit-1/rules.d/50-hooklatch-nginx.service.rules",
      ]);
      expect(output).not.toContain("differs");
      await root.run(
        "test -s /etc/hooklatch/hooklatch.toml.orig; test ! -e /etc/systemd/system/hooklatch.service",
      );
      expect(await root.run(`${init} --directory /data/blog --dry-run`)).toContain(
        "hooklatch.service.d/10-init.conf",
      );
      await root.run("rmdir /run/systemd/system");
    });

    test("keeps configuration, secret and data over an upgrade, without a question", async () => {
      const files = "cd /etc/hooklatch && stat -c '%A %U:%G %n' * && sha256sum *";
      const before = await root.run(files);
      await root.run(START);
      expect(await root.run("hooklatch send ping")).toContain('"delivery":1');
      await root.run("dpkg -i /opt/second.deb </dev/null");
      expect(await root.run("dpkg-query -W -f '${Version}' hooklatch")).toBe("1.1.0");
      expect(await root.run(files)).toBe(before);
      // The old server continues until systemd restarts it; the new one opens the same data.
      await root.run(STOP);
      await root.run(START);
      expect(await root.run("hooklatch send ping")).toContain('"delivery":2');
      await root.run(STOP);
    });

    test("leaves data and configuration when it is removed, and nothing but the sites when it is purged", async () => {
      await root.run("mkdir -p /etc/systemd/system/hooklatch.service.d && dpkg --remove hooklatch");
      await root.run("test -e /etc/hooklatch/github.secret && test -e /var/lib/hooklatch/hooklatch.db");
      await root.run("dpkg --purge hooklatch");
      expect(
        await root.run("find /etc /usr/bin /usr/share /var/lib -name '*hooklatch*' ! -path '*/dpkg/*'"),
      ).toBe("");
      await root.run("test -d /srv/sites/blog");
    });

    // The commands of docs/getting-started.md, with a repository on the machine in place of GitHub's.
    test.if(IS_LONG && Bun.which("systemd-nspawn") !== null)(
      "leads to a live push under systemd, restarts on upgrade, and stops when it is purged (in test:release; needs systemd-nspawn)",
      async () => {
        await root.run("rm -f /usr/sbin/policy-rc.d");
        const output = await root.boot(`
        export HOME=/root
        git config --global user.name Mona && git config --global user.email mona@example.com
        git config --global safe.directory '*' && git init -q --bare -b main /opt/blog.git
        git clone -q /opt/blog.git /opt/blog && cd /opt/blog
        commit() { echo "$1" >index.html && git add . && git commit -qm "$1" && git push -q origin HEAD:main; }
        commit first
        begin=$(date +%s%3N)
        dpkg -i /opt/first.deb && systemctl is-enabled hooklatch
        hooklatch init --system --repository octocat/blog --url https://hooks.example.com
        chown -R hooklatch /opt/blog.git
        sed -i '/^repository/a clone_url = "/opt/blog.git"' /etc/hooklatch/hooklatch.toml
        cd / && systemctl enable --now hooklatch && curl -fsw "\\n" ${SERVER}/healthz
        hooklatch send ping && hooklatch deploy blog --follow && cat /srv/sites/blog/current/index.html
        cd /opt/blog && commit second && cd / && hooklatch send push && hooklatch logs blog --follow
        cat /srv/sites/blog/current/index.html
        echo "live after $(($(date +%s%3N) - begin)) ms"
        before=$(systemctl show -P MainPID hooklatch)
        dpkg -i /opt/second.deb </dev/null && curl -fsw "\\n" ${SERVER}/healthz
        test "$(systemctl show -P MainPID hooklatch)" != "$before" && echo restarted
        hooklatch delivery list
        dpkg --purge hooklatch
        systemctl is-active hooklatch
        test ! -e /var/lib/hooklatch && cat /srv/sites/blog/current/index.html && echo purged`);
        expect(output).toMatch(/^disabled$/m);
        // systemctl waits until the server answers: at the first start, and at the restart of the upgrade.
        expect(output.match(/"status":"ok"\}$/gm)).toHaveLength(2);
        expect(output).toContain('200 {"status":"pong","delivery":1}');
        expect(output).toMatch(/^first$/m);
        expect(output).toContain('202 {"status":"ok","delivery":2');
        expect(output.match(/^second$/gm)).toHaveLength(2);
        expect(output).toMatch(/^live after \d+ ms$/m);
        // docs/getting-started.md has this figure.
        console.log(/^live after .*$/m.exec(output)?.[0]);
        expect(output).toMatch(/^restarted$/m);
        expect(output).toMatch(/^1 .* ping +pong /m);
        expect(output).toMatch(/^inactive$/m);
        expect(output).toMatch(/^purged$/m);
      },
    );
  });
});
