import { describe, expect, test } from "bun:test";
import { configOf, linesOf, makeHome } from "./home.ts";

const KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ADDRESS = "https://chat.example.com/hooks/correct-horse-battery-staple";
const WRITTEN_OUT =
  'the secret is written out here, for every reader of this file: better "file:PATH" or "env:NAME"';

const home = makeHome();
const load = (notify: string, env: Record<string, string> = {}) => {
  const target = (name: string) =>
    `[[target]]\nname = "${name}"\ndirectory = "/srv/${name}"\nrun = ["true"]\n`;
  const source = '[[source]]\nname = "any"\nprovider = "generic"\npath = "/any"\n';
  home.write("hooklatch.toml", [source, target("blog"), target("docs"), notify].join("\n"));
  return home.load({ env: { KEY, ADDRESS, ...env } });
};

describe("somebody to be told", () => {
  test("needs no more than an address and a key, and is told of failures and their end, of all targets", () => {
    const loaded = load('[[notify]]\nurl = "https://ops.example.com/hook"\nsecret = "env:KEY"');
    const [one, ...others] = configOf(loaded).notify;
    expect(one).toMatchObject({
      name: "notify 1",
      format: "standard",
      on: ["failed", "recovered"],
      targets: null,
    });
    expect(one?.url.reveal()).toBe("https://ops.example.com/hook");
    expect(one?.secret?.reveal()).toBe(KEY);
    expect(others).toEqual([]);
    // The address of a post that is signed is no secret.
    expect(linesOf(loaded)).toEqual([]);
  });

  test("may have a name, a chat's format, its own events and targets", () => {
    const loaded = load(`[[notify]]
      name = "chat"
      url = "env:ADDRESS"
      format = "slack"
      on = ["succeeded"]
      targets = ["docs"]
      [[notify]]
      url = "https://ops.example.com/hook"
      secret = "env:KEY"`);
    expect(configOf(loaded).notify).toMatchObject([
      { name: "chat", secret: null, format: "slack", on: ["succeeded"], targets: ["docs"] },
      { name: "notify 2" },
    ]);
    expect(linesOf(loaded)).toEqual([]);
    expect(JSON.stringify(configOf(loaded).notify)).not.toMatch(/correct|whsec_/);
  });

  test("at a chat's address that is written out is taken with a warning", () => {
    const loaded = load(`[[notify]]\nurl = "${ADDRESS}"\nformat = "slack"`);
    expect(configOf(loaded).notify[0]?.url.reveal()).toBe(ADDRESS);
    expect(linesOf(loaded)).toEqual([`hooklatch.toml: notify[0].url: ${WRITTEN_OUT}`]);
  });

  test("with a key that is written out is taken with a warning", () => {
    expect(linesOf(load(`[[notify]]\nurl = "env:ADDRESS"\nsecret = "${KEY}"`))).toEqual([
      `hooklatch.toml: notify[0].secret: ${WRITTEN_OUT}`,
    ]);
  });

  test.each([
    ["http://127.0.0.1:8080/hook", []],
    ["http://hooks.localhost/", []],
    [
      "http://ops.example.com/hook",
      [
        "hooklatch.toml: notify[0].url: is an http URL: everybody on the way can read what is sent; better https",
      ],
    ],
  ])("at %p is warned of where others can listen", (url, warnings) => {
    const loaded = load('[[notify]]\nurl = "env:ADDRESS"\nsecret = "env:KEY"', { ADDRESS: url });
    expect(configOf(loaded).notify).toHaveLength(1);
    expect(linesOf(loaded)).toEqual(warnings);
  });

  test("may be told of a target that has a fault: only that is told", () => {
    const faulty = '[[target]]\nname = "shop"\ndirectory = "/"\nrun = ["true"]\n';
    expect(
      linesOf(load(`${faulty}[[notify]]\nurl = "env:ADDRESS"\nformat = "slack"\ntargets = ["shop"]`)),
    ).toEqual([`hooklatch.toml: target[2].directory: expected a directory of the target's own, found "/"`]);
  });

  test("of a target, where there is none, is a fault", () => {
    home.write("hooklatch.toml", `[[notify]]\nurl = "env:ADDRESS"\nformat = "slack"\ntargets = ["blog"]`);
    expect(linesOf(home.load({ env: { ADDRESS } }))).toEqual([
      'hooklatch.toml: notify[0].targets[0]: expected the name of a target, of which there is none, found "blog"',
    ]);
  });

  test.each([24, 32, 64])("signs with a key of %d bytes", (length) => {
    const key = `whsec_${Buffer.alloc(length, 0xfb).toString("base64")}`;
    expect(linesOf(load('[[notify]]\nurl = "env:ADDRESS"\nsecret = "env:KEY"', { KEY: key }))).toEqual([]);
  });

  test.each([
    ["of 23 bytes", `whsec_${Buffer.alloc(23, 0xfb).toString("base64")}`],
    ["of 65 bytes", `whsec_${Buffer.alloc(65, 0xfb).toString("base64")}`],
    ["in base64url", `whsec_${Buffer.alloc(24, 0xfb).toString("base64url")}`],
    ["without its prefix", Buffer.alloc(32).toString("base64")],
    ["for another scheme", `whsk_${Buffer.alloc(32).toString("base64")}`],
    ["with a space", `${KEY} `],
    ["of two lines", `${KEY}\n${KEY}`],
  ])("does not sign with a key %s, which is not repeated", (_, key) => {
    const lines = linesOf(load('[[notify]]\nurl = "env:ADDRESS"\nsecret = "env:KEY"', { KEY: key }));
    expect(lines).toEqual([
      'hooklatch.toml: notify[0].secret: expected "whsec_" and 24 to 64 bytes in base64, found something else',
    ]);
  });
});
