import { describe, expect, test } from "bun:test";
import { chmodSync, readdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { generateSecrets, provideSecretFile } from "../../src/config/generate.ts";
import { configOf, linesOf, makeHome } from "./home.ts";
import { openedDialect } from "./lists.ts";

const VALUE = "correct-horse-battery-staple";
const home = makeHome();

/** Loads a configuration with this admin token, and reveals what became of it. */
function tokenFrom(reference: string, env: Record<string, string> = {}): string {
  home.write("etc/hooklatch.toml", `[admin]\ntoken = ${JSON.stringify(reference)}`);
  return configOf(home.load({ file: "etc/hooklatch.toml", env })).admin.token.reveal();
}

function findingsFrom(reference: string, env: Record<string, string> = {}): readonly string[] {
  home.write("etc/hooklatch.toml", `[admin]\ntoken = ${JSON.stringify(reference)}`);
  return linesOf(home.load({ file: "etc/hooklatch.toml", env }));
}

describe("a secret", () => {
  test("comes from the environment as it is", () => {
    expect(tokenFrom("env:TOKEN", { TOKEN: ` ${VALUE}\n` })).toBe(` ${VALUE}\n`);
  });

  test("comes from a file beside the configuration, without the newline at its end", () => {
    home.write("etc/unix.secret", `${VALUE}\n`);
    home.write("etc/windows.secret", `${VALUE}\r\n`);
    home.write("etc/bare.secret", VALUE);
    home.write("etc/two.secret", `${VALUE}\n\n`);
    expect(tokenFrom("file:unix.secret")).toBe(VALUE);
    expect(tokenFrom("file:windows.secret")).toBe(VALUE);
    expect(tokenFrom(`file:${home.path("etc/bare.secret")}`)).toBe(VALUE);
    expect(tokenFrom("file:two.secret")).toBe(`${VALUE}\n`);
  });

  test("comes from systemd's credentials", () => {
    home.write("credentials/token", `${VALUE}\n`);
    expect(tokenFrom("credential:token", { CREDENTIALS_DIRECTORY: home.path("credentials") })).toBe(VALUE);
  });

  test("that is written out is taken with a warning that does not repeat it", () => {
    expect(tokenFrom(VALUE)).toBe(VALUE);
    expect(findingsFrom(VALUE)).toEqual([
      'etc/hooklatch.toml: admin.token: the secret is written out here, for every reader of this file: better "file:PATH" or "env:NAME"',
    ]);
  });

  test("under 16 bytes is taken with a warning that does not repeat it", () => {
    expect(findingsFrom("env:TOKEN", { TOKEN: "fifteen bytes.." })).toEqual([
      "etc/hooklatch.toml: admin.token: the secret is shorter than 16 bytes and may be guessed",
    ]);
    expect(findingsFrom("env:TOKEN", { TOKEN: "sixteen bytes..." })).toEqual([]);
    expect(findingsFrom("env:TOKEN", { TOKEN: "éééééééé" })).toEqual([]);
  });

  test("that is empty or cannot be read is a fault", () => {
    home.write("etc/empty.secret", "\n");
    home.write("etc/binary.secret", new Uint8Array([0xff, 0xfe, 0xfd]));
    expect(findingsFrom("file:empty.secret")).toEqual([
      "etc/hooklatch.toml: admin.token: the secret file:empty.secret is empty",
    ]);
    expect(findingsFrom("file:binary.secret")).toEqual([
      "etc/hooklatch.toml: admin.token: file:binary.secret is not UTF-8 text",
    ]);
    expect(findingsFrom("credential:gone", { CREDENTIALS_DIRECTORY: home.path("etc") })).toEqual([
      "etc/hooklatch.toml: admin.token: credential:gone does not exist",
    ]);
    expect(findingsFrom("env:toString")).toEqual([
      "etc/hooklatch.toml: admin.token: the environment variable toString is not set",
    ]);
  });

  test("of the default sources that is set to nothing is a fault, and none is made instead", () => {
    const env = { GITHUB_WEBHOOK_SECRET: "", WEBHOOK_VERIFY_TOKEN: "", HOOKLATCH_ADMIN_TOKEN: "" };
    expect(linesOf(home.load({ env }))).toEqual([
      "environment: $HOOKLATCH_ADMIN_TOKEN: the secret env:HOOKLATCH_ADMIN_TOKEN is empty",
      "environment: $GITHUB_WEBHOOK_SECRET: the secret env:GITHUB_WEBHOOK_SECRET is empty",
      "environment: $WEBHOOK_VERIFY_TOKEN: the secret env:WEBHOOK_VERIFY_TOKEN is empty",
    ]);
  });

  test("of the default sources comes from the environment where that has one", () => {
    const { sources, generated } = configOf(home.load({ env: { GITHUB_WEBHOOK_SECRET: VALUE } }));
    expect(openedDialect(sources[0]).secrets.map((secret) => secret.reveal())).toEqual([VALUE]);
    expect(generated.map(({ what }) => what)).toEqual(["admin token", "verify token of source webhook"]);
  });
});

describe("a secret that nothing sets", () => {
  test("is made once, for its owner alone, and fills the sources that were opened before", () => {
    const config = configOf(home.load());
    const made = generateSecrets(config);
    expect(made).toEqual(config.generated.map(({ what, file }) => ({ what, file })));
    expect(made).toHaveLength(3);
    for (const { file, secret } of config.generated) {
      expect(secret.reveal()).toMatch(/^[0-9a-f]{64}$/);
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(statSync(dirname(file)).mode & 0o777).toBe(0o700);
      expect(JSON.stringify([made, config])).not.toContain(secret.reveal());
    }
    expect(new Set(config.generated.map(({ secret }) => secret.reveal())).size).toBe(3);
    expect(statSync(config.dataDir).mode & 0o777).toBe(0o700);
    const inUse = config.sources.flatMap((source) => openedDialect(source).secrets);
    expect([config.admin.token, ...inUse]).toEqual(config.generated.map(({ secret }) => secret));
  });

  test("is found again at the next start, and nothing is made", () => {
    const first = configOf(home.load());
    generateSecrets(first);
    const second = configOf(home.load());
    expect(generateSecrets(second)).toEqual([]);
    expect(second.generated.map(({ secret }) => secret.reveal())).toEqual(
      first.generated.map(({ secret }) => secret.reveal()),
    );
  });

  test("has a file that is named for its source and its key", () => {
    home.write("hooklatch.toml", '[[source]]\nname = "My.Hook"\nprovider = "generic"\npath = "/a"');
    expect(configOf(home.load()).generated.map(({ file }) => file)).toEqual([
      home.path("hooklatch-data/secrets/admin.token"),
      home.path("hooklatch-data/secrets/My.Hook.verify-token"),
    ]);
  });

  test("is a fault when its file is empty or no text, and the file stays as it is", () => {
    const file = home.write("hooklatch-data/secrets/github.secret", "");
    expect(linesOf(home.load())).toEqual([
      `${file}: the secret of source github is empty: remove the file, and a new one is made`,
    ]);
    home.write("hooklatch-data/secrets/github.secret", new Uint8Array([0xff]));
    expect(linesOf(home.load())).toEqual([`${file}: the secret of source github is not UTF-8 text`]);
    expect(statSync(file).size).toBe(1);
  });

  test("is that of a file that came in between: another server made it at the same moment", () => {
    const config = configOf(home.load());
    home.write("hooklatch-data/secrets/admin.token", `${VALUE}\n`);
    expect(generateSecrets(config).map(({ what }) => what)).not.toContain("admin token");
    expect(config.admin.token.reveal()).toBe(VALUE);
    expect(configOf(home.load()).admin.token.reveal()).toBe(VALUE);
  });

  test("is a fault that names the place when it cannot be kept", () => {
    home.write("file", "");
    const config = configOf(home.load({ env: { HOOKLATCH_DATA_DIR: "file/data" } }));
    expect(() => generateSecrets(config)).toThrow(`cannot make the data directory ${home.path("file/data")}`);
  });

  test("leaves the mode of a data directory that is there already", () => {
    home.write("hooklatch-data/kept", "");
    chmodSync(home.path("hooklatch-data"), 0o750);
    generateSecrets(configOf(home.load()));
    expect(statSync(home.path("hooklatch-data")).mode & 0o777).toBe(0o750);
  });
});

describe("provideSecretFile", () => {
  test("gives what it wrote, writes over nothing, and leaves nothing else behind", () => {
    const file = home.path("new/secrets/a.secret");
    const { value, isNew } = provideSecretFile(file);
    expect(isNew).toBe(true);
    home.write("etc/hooklatch.toml", "");
    expect(tokenFrom(`file:${file}`)).toBe(value);
    expect(provideSecretFile(file)).toEqual({ value, isNew: false });
    expect(tokenFrom(`file:${file}`)).toBe(value);
    expect(readdirSync(dirname(file))).toEqual(["a.secret"]);
  });

  test("refuses a file that is empty, and says what to do", () => {
    const file = home.write("new/secrets/a.secret", "\n");
    expect(() => provideSecretFile(file)).toThrow("it is empty: remove the file, and a new one is made");
  });
});
