import { describe, expect, test } from "bun:test";
import { chmodSync, readdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { Loaded } from "../../src/config/load.ts";
import { formatHex, generateSecrets, provideSecretFile } from "../../src/config/secrets.ts";
import { words } from "../support/words.ts";
import { configOf, expectFindings, makeHome } from "./home.ts";
import { optionsOf } from "./lists.ts";

const VALUE = "correct-horse-battery-staple";
const home = makeHome();

/** Where the admin token is in the configuration that `load` writes. */
const TOKEN = "etc/hooklatch.toml: admin.token";

/** Loads a configuration with this admin token. */
function load(reference: string, env: Record<string, string> = {}): Loaded {
  home.write("etc/hooklatch.toml", `[admin]\ntoken = ${JSON.stringify(reference)}`);
  return home.load({ file: "etc/hooklatch.toml", env });
}

/** Loads a configuration with this admin token and returns its value. */
function tokenFrom(reference: string, env: Record<string, string> = {}): string {
  return configOf(load(reference, env)).admin.token.reveal();
}

/** Returns the message of the error that `action` throws. */
function messageOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof Error) return error.message;
  }
  throw new Error("there was no error");
}

describe("a secret", () => {
  test.each(["\n", "\r", "\r\n", "\n\n", " ", "\t"])("loses the white space around it: %j", (space) => {
    const text = `${space}${VALUE}${space}`;
    home.write("etc/token", text);
    const env = { TOKEN: text, CREDENTIALS_DIRECTORY: home.path("etc") };
    for (const secret of ["env:TOKEN", "file:token", "credential:token"]) {
      expect(tokenFrom(secret, env)).toBe(VALUE);
    }
  });

  test("in quotes is accepted with a warning that does not repeat it", () => {
    const loaded = load("env:TOKEN", { TOKEN: `"${VALUE}"` });
    expectFindings(loaded, [[TOKEN, "env:TOKEN"]]);
    expect(JSON.stringify(loaded)).not.toContain(VALUE);
  });

  test.each(["$TOKEN", "${TOKEN}", "{$TOKEN}", "{{ token }}"])(
    "is not a variable that was not expanded: %s",
    (text) => {
      const loaded = load(text, { TOKEN: VALUE });
      expect(loaded.kind).toBe("invalid");
      expectFindings(loaded, [[TOKEN, "env:NAME"]]);
    },
  );

  test("from a file loses all newlines at its end", () => {
    home.write("etc/unix.secret", `${VALUE}\n`);
    home.write("etc/windows.secret", `${VALUE}\r\n`);
    home.write("etc/bare.secret", VALUE);
    home.write("etc/two.secret", `${VALUE}\n\n`);
    expect(tokenFrom("file:unix.secret")).toBe(VALUE);
    expect(tokenFrom("file:windows.secret")).toBe(VALUE);
    expect(tokenFrom(`file:${home.path("etc/bare.secret")}`)).toBe(VALUE);
    expect(tokenFrom("file:two.secret")).toBe(VALUE);
  });

  test("comes from systemd credentials", () => {
    home.write("credentials/token", `${VALUE}\n`);
    expect(tokenFrom("credential:token", { CREDENTIALS_DIRECTORY: home.path("credentials") })).toBe(VALUE);
  });

  test("that is a literal is accepted with a warning that does not repeat it", () => {
    expect(tokenFrom(VALUE)).toBe(VALUE);
    const loaded = load(VALUE);
    expectFindings(loaded, [[TOKEN, "file:", "env:"]]);
    expect(JSON.stringify(loaded)).not.toContain(VALUE);
  });

  test("under 16 bytes is accepted with a warning that does not repeat it", () => {
    const short = load("env:TOKEN", { TOKEN: "fifteen bytes.." });
    expect(configOf(short).admin.token.reveal()).toBe("fifteen bytes..");
    expectFindings(short, [[TOKEN, "16"]]);
    expect(JSON.stringify(short)).not.toContain("fifteen bytes..");
    for (const long of ["sixteen bytes...", "éééééééé"]) {
      expect(load("env:TOKEN", { TOKEN: long })).toMatchObject({ kind: "loaded", warnings: [] });
    }
  });

  test("that is empty, missing or unreadable is rejected", () => {
    home.write("etc/empty.secret", "\n");
    home.write("etc/binary.secret", new Uint8Array([0xff, 0xfe, 0xfd]));
    expectFindings(load("file:empty.secret"), [[TOKEN, "file:empty.secret"]]);
    expectFindings(load("file:binary.secret"), [[TOKEN, "file:binary.secret", "UTF-8"]]);
    expectFindings(load("credential:gone", { CREDENTIALS_DIRECTORY: home.path("etc") }), [
      [TOKEN, "credential:gone"],
    ]);
    expectFindings(load("env:toString"), [[TOKEN, "toString"]]);
  });

  test("of the default sources that is empty is rejected and not generated", () => {
    const env = { GITHUB_WEBHOOK_SECRET: "", WEBHOOK_VERIFY_TOKEN: "", HOOKLATCH_ADMIN_TOKEN: "" };
    const loaded = home.load({ env });
    expect(loaded.kind).toBe("invalid");
    expectFindings(loaded, [
      "environment: $HOOKLATCH_ADMIN_TOKEN",
      "environment: $GITHUB_WEBHOOK_SECRET",
      "environment: $WEBHOOK_VERIFY_TOKEN",
    ]);
  });

  test("of the default sources comes from the environment when it is set there", () => {
    const { sources, generated } = configOf(home.load({ env: { GITHUB_WEBHOOK_SECRET: VALUE } }));
    expect(optionsOf(sources[0]).secrets.map((secret) => secret.reveal())).toEqual([VALUE]);
    expect(generated.map(({ file }) => file)).toEqual([
      home.path("hooklatch-data/secrets/admin.token"),
      home.path("hooklatch-data/secrets/webhook.verify-token"),
    ]);
  });
});

describe("a generated secret", () => {
  test("is created once, readable by the owner only, and loaded into the open sources", () => {
    const config = configOf(home.load());
    const created = generateSecrets(config);
    expect(created).toEqual(config.generated.map(({ what, file }) => ({ what, file })));
    expect(created).toHaveLength(3);
    for (const { file, secret } of config.generated) {
      expect(secret.reveal()).toMatch(/^[0-9a-f]{64}$/);
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(statSync(dirname(file)).mode & 0o777).toBe(0o700);
      expect(JSON.stringify([created, config])).not.toContain(secret.reveal());
    }
    expect(new Set(config.generated.map(({ secret }) => secret.reveal())).size).toBe(3);
    expect(statSync(config.dataDir).mode & 0o777).toBe(0o700);
    const inUse = config.sources.flatMap((source) => optionsOf(source).secrets);
    expect([config.admin.token, ...inUse]).toEqual(config.generated.map(({ secret }) => secret));
  });

  test("is read from its file at the next start", () => {
    const first = configOf(home.load());
    generateSecrets(first);
    const second = configOf(home.load());
    expect(generateSecrets(second)).toEqual([]);
    expect(second.generated.map(({ secret }) => secret.reveal())).toEqual(
      first.generated.map(({ secret }) => secret.reveal()),
    );
  });

  test("has a file named after its source and key", () => {
    home.write("hooklatch.toml", '[[source]]\nname = "My.Hook"\nprovider = "generic"\npath = "/a"');
    expect(configOf(home.load()).generated.map(({ file }) => file)).toEqual([
      home.path("hooklatch-data/secrets/admin.token"),
      home.path("hooklatch-data/secrets/My.Hook.verify-token"),
    ]);
  });

  test("is rejected when its file is empty or not UTF-8, and the file is not changed", () => {
    const file = home.write("hooklatch-data/secrets/github.secret", "");
    expectFindings(home.load(), [[file, "github"]]);
    expect(statSync(file).size).toBe(0);
    home.write("hooklatch-data/secrets/github.secret", new Uint8Array([0xff]));
    expectFindings(home.load(), [[file, "github", "UTF-8"]]);
    expect(statSync(file).size).toBe(1);
  });

  test("comes from the file of another server that created it at the same time", () => {
    const config = configOf(home.load());
    const token = home.write("hooklatch-data/secrets/admin.token", `${VALUE}\n`);
    const created = generateSecrets(config).map(({ file }) => file);
    expect(created).toHaveLength(2);
    expect(created).not.toContain(token);
    expect(config.admin.token.reveal()).toBe(VALUE);
    expect(configOf(home.load()).admin.token.reveal()).toBe(VALUE);
  });

  test("cannot be created without the data directory, which the error names", () => {
    home.write("file", "");
    const config = configOf(home.load({ env: { HOOKLATCH_DATA_DIR: "file/data" } }));
    const message = messageOf(() => generateSecrets(config));
    expect(message).toContain(home.path("file/data"));
    expect(words(message.replace(/ENOTDIR.*$/s, "<system error>"))).toMatchSnapshot();
  });

  test("does not change the mode of an existing data directory", () => {
    home.write("hooklatch-data/existing", "");
    chmodSync(home.path("hooklatch-data"), 0o750);
    generateSecrets(configOf(home.load()));
    expect(statSync(home.path("hooklatch-data")).mode & 0o777).toBe(0o750);
  });
});

describe("provideSecretFile", () => {
  test("returns the value of a new or existing file and leaves no other file", () => {
    const file = home.path("new/secrets/a.secret");
    const { value, isNew } = provideSecretFile(file, formatHex);
    expect(isNew).toBe(true);
    home.write("etc/hooklatch.toml", "");
    expect(tokenFrom(`file:${file}`)).toBe(value);
    expect(provideSecretFile(file, formatHex)).toEqual({ value, isNew: false });
    expect(tokenFrom(`file:${file}`)).toBe(value);
    expect(readdirSync(dirname(file))).toEqual(["a.secret"]);
  });

  test("rejects an empty file", () => {
    const file = home.write("new/secrets/a.secret", "\n");
    const message = messageOf(() => provideSecretFile(file, formatHex));
    expect(words(message)).toMatchSnapshot();
  });
});
