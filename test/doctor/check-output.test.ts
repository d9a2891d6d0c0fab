import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withCredentials } from "../../src/cli/commands/check.ts";
import { readCertifiedName } from "../../src/doctor/certificate.ts";
import { attempt } from "../../src/doctor/index.ts";
import { runHooklatch } from "../cli/command-line.ts";
import { Authority } from "./authority.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "hooklatch-check-"));
});

afterEach(() => rmSync(root, { recursive: true }));

describe("hooklatch check", () => {
  test("wraps findings below their level and colours the level on a terminal", async () => {
    writeFileSync(join(root, "hooklatch.toml"), 'data_dir = "data"\n[admin]\nport = 0\n[server]\nport = 0\n');
    const terminal = { cwd: root, columns: 40, isTty: { stdout: true, stderr: false } };
    const { stdout } = await runHooklatch("check", terminal);
    expect(stdout).toContain("\u001b[32mok");
    const lines = Bun.stripANSI(stdout).split("\n").filter(Boolean);
    for (const line of lines) {
      expect(line).toMatch(/^(?:ok {3}|warn |fail | {5})\S/);
      // A path has no place to break.
      if (!line.includes("/")) expect(line.length).toBeLessThanOrEqual(40);
    }
    const plain = await runHooklatch("check", { ...terminal, env: { NO_COLOR: "1" } });
    expect(plain.stdout).toBe(Bun.stripANSI(plain.stdout));
    const piped = await runHooklatch("check", { cwd: root });
    expect(piped.stdout).toMatch(/^(?:(?:ok {2}|warn|fail) .*\n)+$/);
  });

  test("reports a subject whose check fails, so that the others run", async () => {
    const broken = () => Promise.reject(new Error("no such device"));
    const [result, ...others] = await attempt("disks", broken);
    expect(others).toEqual([]);
    expect(result?.level).toBe("fail");
    expect(result?.text).toContain("disks");
    expect(result?.text).toContain("no such device");
  });

  test("uses the credentials of the running service, unless others are set or they are unreadable", () => {
    expect(withCredentials({}, join(root, "missing"))).toEqual({});
    mkdirSync(join(root, "credentials"));
    const directory = join(root, "credentials");
    expect(withCredentials({ A: "b" }, directory)).toEqual({ A: "b", CREDENTIALS_DIRECTORY: directory });
    const set = { CREDENTIALS_DIRECTORY: "/elsewhere" };
    expect(withCredentials(set, directory)).toEqual(set);
  });
});

describe("the name of the server", () => {
  test("comes from the certificate, without wildcards", () => {
    const authority = new Authority(root);
    authority.certify("site", "DNS:*.example.com,DNS:hooks.example.com");
    authority.bundle("chain.pem", ["site", "intermediate", "root"]);
    const key = join(root, "site.key");
    const nameOf = (cert: string) => readCertifiedName({ acme: null, tls: { cert: join(root, cert), key } });
    expect(nameOf("chain.pem")).toBe("hooks.example.com");
    expect(nameOf("missing.pem")).toBeNull();
    expect(readCertifiedName({ acme: null, tls: null })).toBeNull();
  });

  test("comes from the domains of [server.acme]", async () => {
    writeFileSync(
      join(root, "hooklatch.toml"),
      `data_dir = "data"
[admin]
port = 0
[server]
port = 0
host = "0.0.0.0"
acme = { domains = ["hooks.example.com"], terms_agreed = true, directory = "http://127.0.0.1:1/", http_port = 9 }
`,
    );
    const { stdout } = await runHooklatch("check", { cwd: root });
    expect(stdout).toContain("https://hooks.example.com:");
    expect(stdout).not.toContain("YOUR-SERVER");
  });
});
