import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { type CertificatePair, makeCertificate, makeExpiredCertificate } from "../support/certificate.ts";
import { SECRET } from "../support/configuration.ts";
import { type Server, Workshop } from "../support/executable.ts";
import { deliver } from "../support/github.ts";
import { pingBody } from "../support/payloads.ts";
import { words } from "../support/words.ts";

setDefaultTimeout(120_000);

let workshop: Workshop;
let files: CertificatePair;

beforeEach(() => {
  workshop = new Workshop();
  files = makeCertificate(workshop.path, "server");
});

afterEach(() => workshop.dispose());

describe("a TLS certificate from files", () => {
  test.each(["the configuration", "the environment"])(
    "set in %s serves verifiable HTTPS and no plain HTTP",
    async (from) => {
      const toml = `[server]\nport = 0\nhost = "127.0.0.1"\n[server.tls]\ncert = "server-cert.pem"\nkey = "server-key.pem"\n`;
      const server =
        from === "the configuration"
          ? await workshop.serve(["-c", workshop.write("hooklatch.toml", toml)], {
              GITHUB_WEBHOOK_SECRET: SECRET,
            })
          : await workshop.serve([], {
              GITHUB_WEBHOOK_SECRET: SECRET,
              HOST: "127.0.0.1",
              PORT: "0",
              TLS_CERT: files.cert,
              TLS_KEY: files.key,
            });
      expect(server.url.protocol).toBe("https:");
      const url = `https://localhost:${server.url.port}/github-webhook`;
      const openssl = Bun.spawn(
        ["openssl", "s_client", "-connect", `localhost:${server.url.port}`, "-CAfile", files.cert],
        {
          stdin: "ignore",
          stdout: "pipe",
          stderr: "ignore",
        },
      );
      expect(await new Response(openssl.stdout).text()).toContain("Verify return code: 0 (ok)");
      const tls = { tls: { ca: await Bun.file(files.cert).text() } };
      const pong = await fetch(url.replace("/github-webhook", "/healthz"), tls);
      expect(pong.status).toBe(200);
      expect(
        await workshop.run(["send", "ping", "--url", url, "--secret", SECRET, "--insecure"]),
      ).toMatchObject({
        exitCode: 0,
        stdout: '200 {"status":"pong","delivery":1}\n',
      });
      const verified = await workshop.run(["send", "ping", "--url", url, "--secret", SECRET]);
      expect(verified.exitCode).toBe(1);
      expect(verified.stderr).toContain("DEPTH_ZERO_SELF_SIGNED_CERT");
      expect(words(verified.stderr)).toMatchSnapshot();
      expect(
        deliver(url.replace("https:", "http:"), "ping", pingBody(), { secret: SECRET }),
      ).rejects.toThrow();
    },
  );

  test("that does not exist is reported with all other configuration errors, and the server creates no files", async () => {
    const toml = '[server]\nprot = 1\n[server.tls]\ncert = "/nowhere/cert.pem"\nkey = "server-key.pem"\n';
    workshop.write("hooklatch.toml", toml);
    const { stderr, ...result } = await workshop.run(["serve"]);
    expect(result).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr.split("\n")).toEqual([
      expect.stringMatching(/^hooklatch: hooklatch\.toml:\d+: server\.prot: .*"port"/),
      expect.stringMatching(/^hooklatch: hooklatch\.toml:\d+: server\.tls\.cert: .*\/nowhere\/cert\.pem\b/),
      "",
    ]);
    expect(stderr).toMatchSnapshot();
    expect(existsSync(join(workshop.path, "hooklatch-data"))).toBe(false);
  });

  test("offers only TLS 1.2 and 1.3 with forward secrecy", async () => {
    const env = { HOST: "127.0.0.1", PORT: "0", TLS_CERT: files.cert, TLS_KEY: files.key };
    const server = await workshop.serve([], { GITHUB_WEBHOOK_SECRET: SECRET, ...env });
    const agreeOn = async (...offer: readonly string[]) => {
      const args = ["openssl", "s_client", "-connect", `127.0.0.1:${server.url.port}`, ...offer];
      const client = Bun.spawn(args, { stdin: "ignore", stdout: "pipe", stderr: "ignore" });
      return / Cipher is (\S+)/.exec(await new Response(client.stdout).text())?.[1] ?? null;
    };
    expect(await agreeOn("-tls1_3")).toStartWith("TLS_");
    for (const strong of ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"])
      expect(await agreeOn("-tls1_2", "-cipher", `ECDHE-ECDSA-${strong}`)).toContain(strong);
    for (const weak of [
      "ECDHE-ECDSA-AES128-SHA",
      "ECDHE-ECDSA-AES256-SHA",
      "AES128-SHA",
      "AES256-GCM-SHA384",
    ])
      expect([weak, await agreeOn("-tls1_2", "-cipher", `${weak}:@SECLEVEL=0`)]).toEqual([weak, "(NONE)"]);
    for (const old of ["-tls1", "-tls1_1"])
      expect([old, await agreeOn(old, "-cipher", "ALL:@SECLEVEL=0")]).toEqual([old, "(NONE)"]);
  });

  test("makes the server listen on all addresses by default", async () => {
    const server = await workshop.serve([], { PORT: "0", TLS_CERT: files.cert, TLS_KEY: files.key });
    expect(server.url.hostname).toBe("0.0.0.0");
  });

  test.each([
    ["is missing", { TLS_CERT: "nowhere.pem" }, "nowhere.pem"],
    ["is not PEM", { TLS_CERT: "broken.pem" }, "broken.pem"],
    ["does not match its key", { TLS_KEY: "other-key.pem" }, "other-key.pem"],
    ["has expired", { TLS_CERT: "expired-cert.pem", TLS_KEY: "expired-key.pem" }, "expired-cert.pem"],
    ["has no key", { TLS_KEY: undefined }, "TLS_KEY"],
  ])("that %s stops the start with an error that names the file", async (_case, changes, name) => {
    makeCertificate(workshop.path, "other");
    makeExpiredCertificate(workshop.path, "expired");
    writeFileSync(`${workshop.path}/broken.pem`, "hello");
    const env: Record<string, string | undefined> = {
      PORT: "0",
      TLS_CERT: files.cert,
      TLS_KEY: files.key,
      ...changes,
    };
    const set = Object.fromEntries(
      Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
    );
    const { exitCode, stdout, stderr } = await workshop.run(["serve"], set);
    expect(exitCode).toBe(2);
    const error = stderr.trimEnd().split("\n").at(-1) ?? "";
    expect(error).toContain(name);
    expect(words(error)).toMatchSnapshot();
    // The log line of a listening server has a URL.
    expect(stderr).not.toContain('"url"');
    expect(stdout).toBe("");
  });
});

describe("a renewed certificate", () => {
  const CONFIG = `[server]\nport = 0\nhost = "127.0.0.1"\n[server.tls]\ncert = "live-cert.pem"\nkey = "live-key.pem"\n`;

  /** Points both links to the pair, as certbot does. */
  function activate(pair: CertificatePair): void {
    for (const kind of ["cert", "key"] as const) {
      const link = `${workshop.path}/live-${kind}.pem`;
      rmSync(link, { force: true });
      symlinkSync(pair[kind], link);
    }
  }

  /** The fingerprint of the certificate that a new connection receives. */
  function readFingerprint(server: Server): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = { host: "127.0.0.1", port: Number(server.url.port), rejectUnauthorized: false };
      const socket = connect(options, () => {
        resolve(socket.getPeerCertificate().fingerprint256);
        socket.destroy();
      });
      socket.on("error", reject);
    });
  }

  const fingerprintOf = ({ cert }: CertificatePair) => new X509Certificate(readFileSync(cert)).fingerprint256;

  const serve = async () => {
    activate(files);
    return workshop.serve(["-c", workshop.write("hooklatch.toml", CONFIG)], {
      GITHUB_WEBHOOK_SECRET: SECRET,
    });
  };

  test("is served to new connections after SIGHUP, and within seconds without SIGHUP", async () => {
    const server = await serve();
    expect(await readFingerprint(server)).toBe(fingerprintOf(files));
    for (const [name, hangUp] of [
      ["second", true],
      ["third", false],
    ] as const) {
      const renewed = makeCertificate(workshop.path, name);
      activate(renewed);
      if (hangUp) process.kill(server.pid, "SIGHUP");
      while ((await readFingerprint(server)) !== fingerprintOf(renewed)) await Bun.sleep(50);
    }
    const renewals = server.log.filter(({ level, valid_to }) => level === "info" && valid_to !== undefined);
    expect(renewals).toHaveLength(2);
    expect(renewals.map(({ msg }) => words(String(msg)))).toMatchSnapshot();
  });

  test("that does not match its key is logged, and the server keeps the old certificate", async () => {
    const server = await serve();
    const renewed = makeCertificate(workshop.path, "second");
    activate({ cert: renewed.cert, key: files.key });
    process.kill(server.pid, "SIGHUP");
    const findWarning = () => server.log.find(({ level, cert }) => level === "warn" && cert !== undefined);
    await server.until(() => findWarning() !== undefined);
    expect(findWarning()?.msg).toContain("live-key.pem");
    expect(words(String(findWarning()?.msg))).toMatchSnapshot();
    expect(await readFingerprint(server)).toBe(fingerprintOf(files));
  });
});
