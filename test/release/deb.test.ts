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

describe.if(Bun.which("dpkg-deb") !== null)("the Debian package", () => {
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

  // lintian is a Debian package; it takes half a minute.
  test.if(IS_LONG && Bun.which("lintian") !== null)("has nothing that lintian objects to", async () => {
    const file = await build("1.0.0", "compressed", "gzip");
    const { stdout } = Bun.spawnSync(["lintian", "--allow-root", "--fail-on", "none", file]);
    expect(stdout.toString()).toBe("");
  });

  describe.if(canMount)("in a copy of this system", () => {
    let root: Root;
    beforeAll(async () => {
      root = await openRoot();
      copyFileSync(first, root.path("opt/first.deb"));
      // A newer version with a newer default configuration.
      await root.run(`cd /opt && dpkg-deb -R first.deb tree && echo "# newer" >>tree/etc/hooklatch/hooklatch.toml &&
        sed -i "s/^Version: .*/Version: 1.1.0/" tree/DEBIAN/control && dpkg-deb -Znone -b tree second.deb && rm -r tree`);
    });
    afterAll(() => root.close());

    test("installs a private configuration, a secret and a user, and starts nothing", async () => {
      await root.run("dpkg -i /opt/first.deb");
      expect(await root.run("stat -c '%A %U:%G' /etc/hooklatch/hooklatch.toml")).toBe(
        "-rw-r----- root:hooklatch",
      );
      expect(await root.run("stat -c '%A %U:%G' /etc/hooklatch/github-secret")).toBe("-rw------- root:root");
      expect(await root.run("cat /etc/hooklatch/github-secret")).toMatch(/^[0-9a-f]{64}$/);
      expect(await root.run("stat -c '%A %U:%G' /var/lib/hooklatch")).toBe("drwx------ hooklatch:hooklatch");
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

    test("keeps a changed configuration, the secret and the data over an upgrade", async () => {
      const secret = await root.run("cat /etc/hooklatch/github-secret");
      await root.run("echo '# mine' >>/etc/hooklatch/hooklatch.toml");
      await root.run(
        "install -d -o hooklatch /run/creds && install -o hooklatch /etc/hooklatch/github-secret /run/creds/",
      );
      const serve =
        "cd / && setpriv --reuid=hooklatch --regid=hooklatch --clear-groups /usr/bin/hooklatch serve";
      const start = `export CREDENTIALS_DIRECTORY=/run/creds; (${serve} >/tmp/log 2>&1 & echo $! >/tmp/pid)
        for i in $(seq 200); do curl -fs ${SERVER}/healthz >/dev/null && exit; sleep 0.1; done; cat /tmp/log >&2; exit 1`;
      await root.run(start);
      expect(await root.run("CREDENTIALS_DIRECTORY=/run/creds hooklatch send ping")).toContain(
        '"delivery":1',
      );

      await root.run("dpkg --force-confold -i /opt/second.deb");
      expect(await root.run("dpkg-query -W -f '${Version}' hooklatch")).toBe("1.1.0");
      expect(await root.run("tail -1 /etc/hooklatch/hooklatch.toml")).toBe("# mine");
      expect(await root.run("tail -1 /etc/hooklatch/hooklatch.toml.dpkg-dist")).toBe("# newer");
      expect(await root.run("stat -c '%A %U:%G' /etc/hooklatch/hooklatch.toml")).toBe(
        "-rw-r----- root:hooklatch",
      );
      expect(await root.run("cat /etc/hooklatch/github-secret")).toBe(secret);
      // The old server continues until systemd restarts it; the new one opens the same data.
      await root.run(`kill $(cat /tmp/pid); while curl -fs ${SERVER}/healthz; do sleep 0.1; done`);
      await root.run(start);
      expect(await root.run("CREDENTIALS_DIRECTORY=/run/creds hooklatch send ping")).toContain(
        '"delivery":2',
      );
      await root.run("kill $(cat /tmp/pid)");
    });

    test("leaves data and configuration when it is removed, and nothing but the sites when it is purged", async () => {
      await root.run("install -d -o hooklatch /srv/blog && dpkg --remove hooklatch");
      await root.run("test -e /etc/hooklatch/hooklatch.toml && test -e /var/lib/hooklatch/hooklatch.db");
      await root.run("dpkg --purge hooklatch");
      expect(
        await root.run("ls -d /etc/hooklatch /var/lib/hooklatch /usr/bin/hooklatch 2>/dev/null || true"),
      ).toBe("");
      await root.run("test -d /srv/blog");
    });

    // The commands of docs/getting-started.md, with a repository on the machine in place of GitHub's.
    test.if(IS_LONG)(
      "leads to a live push under systemd, restarts on upgrade, and stops when it is purged",
      async () => {
        await root.run("rm -f /usr/sbin/policy-rc.d");
        const output = await root.boot(`
        export CREDENTIALS_DIRECTORY=/etc/hooklatch HOME=/root
        git config --global user.name Mona && git config --global user.email mona@example.com
        git config --global safe.directory '*' && git init -q --bare -b main /opt/blog.git
        git clone -q /opt/blog.git /opt/blog && cd /opt/blog
        commit() { echo "$1" >index.html && git add . && git commit -qm "$1" && git push -q origin HEAD:main; }
        commit first
        begin=$(date +%s%3N)
        dpkg -i /opt/first.deb && systemctl is-enabled hooklatch
        chown -R hooklatch /opt/blog.git
        install -d -m 755 -o hooklatch -g hooklatch /srv/blog
        printf '%s\\n' '[[target]]' 'name = "blog"' 'repository = "octocat/blog"' 'branch = "main"' \
          'directory = "/srv/blog"' 'clone_url = "/opt/blog.git"' >>/etc/hooklatch/hooklatch.toml
        systemctl enable --now hooklatch
        until curl -fso /dev/null ${SERVER}/healthz; do sleep 0.1; done
        hooklatch send ping && hooklatch deploy blog --follow && cat /srv/blog/current/index.html
        commit second && hooklatch send push && hooklatch logs blog --follow && cat /srv/blog/current/index.html
        echo "live after $(($(date +%s%3N) - begin)) ms"
        before=$(systemctl show -P MainPID hooklatch)
        dpkg --force-confold -i /opt/second.deb && until curl -fso /dev/null ${SERVER}/healthz; do sleep 0.1; done
        test "$(systemctl show -P MainPID hooklatch)" != "$before" && echo restarted
        hooklatch delivery list
        dpkg --purge hooklatch
        systemctl is-active hooklatch
        test ! -e /var/lib/hooklatch && cat /srv/blog/current/index.html && echo purged`);
        expect(output).toMatch(/^disabled$/m);
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
