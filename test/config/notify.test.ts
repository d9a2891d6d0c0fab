import { describe, expect, test } from "bun:test";
import type { MailSettings, PostSettings } from "../../src/domain/notification.ts";
import { configOf, expectFindings, makeHome } from "./home.ts";

const KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ADDRESS = "https://chat.example.com/hooks/correct-horse-battery-staple";

const home = makeHome();
const load = (notify: string, env: Record<string, string> = {}) => {
  const target = (name: string) =>
    `[[target]]\nname = "${name}"\ndirectory = "/srv/${name}"\nrun = ["true"]\n`;
  const source = '[[source]]\nname = "any"\nprovider = "generic"\npath = "/any"\n';
  home.write("hooklatch.toml", [source, target("blog"), target("docs"), notify].join("\n"));
  return home.load({ env: { KEY, ADDRESS, ...env } });
};

describe("a notification channel", () => {
  test("defaults to failures and recoveries of all targets", () => {
    const loaded = load('[[notify]]\nurl = "https://ops.example.com/hook"\nsecret = "env:KEY"');
    const [channel, ...others] = configOf(loaded).notify;
    expect(channel).toMatchObject({
      name: "notify 1",
      format: "standard",
      kinds: ["failed", "recovered"],
      targets: null,
    });
    const { url, secret } = channel as PostSettings;
    expect(url.reveal()).toBe("https://ops.example.com/hook");
    expect(secret?.reveal()).toBe(KEY);
    expect(others).toEqual([]);
    // The URL is not secret when a signature authenticates the message: a literal URL causes no warning.
    expect(loaded).toMatchObject({ kind: "loaded", warnings: [] });
  });

  test("accepts a name, a chat format, events and targets", () => {
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
      { name: "chat", secret: null, format: "slack", kinds: ["succeeded"], targets: ["docs"] },
      { name: "notify 2" },
    ]);
    expect(loaded).toMatchObject({ kind: "loaded", warnings: [] });
    expect(JSON.stringify(configOf(loaded).notify)).not.toMatch(/correct|whsec_/);
  });

  test("with a literal chat URL causes a warning that does not repeat it", () => {
    const loaded = load(`[[notify]]\nurl = "${ADDRESS}"\nformat = "slack"`);
    expect((configOf(loaded).notify[0] as PostSettings).url.reveal()).toBe(ADDRESS);
    expectFindings(loaded, [["hooklatch.toml: notify[0].url", "file:", "env:"]]);
    expect(JSON.stringify(loaded)).not.toContain("correct-horse");
  });

  test("with a literal key causes a warning that does not repeat it", () => {
    const loaded = load(`[[notify]]\nurl = "env:ADDRESS"\nsecret = "${KEY}"`);
    expect((configOf(loaded).notify[0] as PostSettings).secret?.reveal()).toBe(KEY);
    expectFindings(loaded, [["hooklatch.toml: notify[0].secret", "file:", "env:"]]);
    expect(JSON.stringify(loaded)).not.toContain(KEY);
  });

  test.each([
    ["http://127.0.0.1:8080/hook", []],
    ["http://hooks.localhost/", []],
    ["http://ops.example.com/hook", ["hooklatch.toml: notify[0].url"]],
  ])("at %p causes a warning only if plain HTTP leaves this machine", (url, warnings) => {
    const loaded = load('[[notify]]\nurl = "env:ADDRESS"\nsecret = "env:KEY"', { ADDRESS: url });
    expect(configOf(loaded).notify).toHaveLength(1);
    expectFindings(loaded, warnings);
  });

  test("may name a target that has a fault, which is the only fault reported", () => {
    const faulty =
      '[[target]]\nname = "shop"\nrepository = "octocat/shop"\nbranch = "main"\nclone_url = "shop.git"\ndirectory = "/"\n';
    expectFindings(load(`${faulty}[[notify]]\nurl = "env:ADDRESS"\nformat = "slack"\ntargets = ["shop"]`), [
      ["hooklatch.toml: target[2].directory", '"/"'],
    ]);
  });

  test("is rejected when it names a target and none is configured", () => {
    home.write("hooklatch.toml", `[[notify]]\nurl = "env:ADDRESS"\nformat = "slack"\ntargets = ["blog"]`);
    expectFindings(home.load({ env: { ADDRESS } }), [["hooklatch.toml: notify[0].targets[0]", '"blog"']]);
  });

  test.each([24, 32, 64])("accepts a key of %d bytes", (length) => {
    const key = `whsec_${Buffer.alloc(length, 0xfb).toString("base64")}`;
    const loaded = load('[[notify]]\nurl = "env:ADDRESS"\nsecret = "env:KEY"', { KEY: key });
    expect(loaded).toMatchObject({ kind: "loaded", warnings: [] });
  });

  test.each([
    ["of 23 bytes", `whsec_${Buffer.alloc(23, 0xfb).toString("base64")}`],
    ["of 65 bytes", `whsec_${Buffer.alloc(65, 0xfb).toString("base64")}`],
    ["in base64url", `whsec_${Buffer.alloc(24, 0xfb).toString("base64url")}`],
    ["without its prefix", Buffer.alloc(32).toString("base64")],
    ["for another scheme", `whsk_${Buffer.alloc(32).toString("base64")}`],
    ["with a space", KEY.replace("_", "_ ")],
    ["of two lines", `${KEY}\n${KEY}`],
  ])("rejects a key %s without repeating it", (_, key) => {
    const loaded = load('[[notify]]\nurl = "env:ADDRESS"\nsecret = "env:KEY"', { KEY: key });
    expectFindings(loaded, [["hooklatch.toml: notify[0].secret", '"whsec_"', "24", "64"]]);
    expect(JSON.stringify(loaded)).not.toContain(JSON.stringify(key).slice(1, -1));
  });
});

describe("an e-mail notification", () => {
  const PASSWORD = "a mail password of the tests";
  const mail = (keys = "") =>
    `[[notify]]
format = "smtp"
host = "mail.example.com"
from = "hooklatch <deploy@example.com>"
to = ["ops@example.com"]
${keys}`;
  const read = (keys: string) => {
    const loaded = load(mail(keys), { PASSWORD });
    return { loaded, settings: configOf(loaded).notify[0] };
  };

  test("uses STARTTLS on port 587 and no login by default", () => {
    const { loaded, settings } = read("");
    expect(settings).toEqual({
      name: "notify 1",
      format: "smtp",
      host: "mail.example.com",
      port: 587,
      tls: "starttls",
      login: null,
      from: { name: "hooklatch", address: "deploy@example.com" },
      to: [{ name: "", address: "ops@example.com" }],
      kinds: ["failed", "recovered"],
      targets: null,
    });
    expect(loaded).toMatchObject({ kind: "loaded", warnings: [] });
  });

  test.each([
    ['tls = "implicit"', { tls: "implicit", port: 465 }],
    ['tls = "implicit"\nport = 4465', { tls: "implicit", port: 4465 }],
  ])("with %s uses %p", (keys, expected) => expect(read(keys).settings).toMatchObject(expected));

  test.each(["127.0.0.1", "localhost", "::1"])("to %s needs no TLS", (host) => {
    const loaded = load(mail().replace("mail.example.com", host));
    expect(configOf(loaded).notify).toMatchObject([{ host, tls: "none", port: 25 }]);
  });

  test("has a login, whose password no message shows", () => {
    const { loaded, settings } = read('user = "ada"\npassword = "env:PASSWORD"');
    expect((settings as MailSettings).login?.password.reveal()).toBe(PASSWORD);
    expect(JSON.stringify(loaded)).not.toContain(PASSWORD);
  });

  test.each([
    ['user = "ada"', ["notify[0].password"]],
    ['password = "env:PASSWORD"', ["notify[0].user"]],
    ['user = "ada"\npassword = "env:NOBODY_SETS_THIS"', ["notify[0].password"]],
    ['tls = "none"', ["notify[0].tls"]],
    ['tls = "ssl"', ["notify[0].tls"]],
    ["port = 0", ["notify[0].port"]],
    ['url = "https://ops.example.com"', ["notify[0].url"]],
    ['secret = "env:KEY"', ["notify[0].secret"]],
  ])("with %s is rejected", (keys, places) => {
    expectFindings(
      load(mail(keys), { PASSWORD }),
      places.map((place) => `hooklatch.toml: ${place}`),
    );
  });

  test.each([
    "ops",
    "ops@",
    "@example.com",
    "ops@example.com, eve@example.com",
    "Ops <ops@example.com",
    "Ops\\n <ops@example.com>",
    "ops@example.com\\nBcc: eve@example.com",
    'Ops \\"x\\" <ops@example.com>',
    "ops@[192.0.2.1]",
  ])("rejects the recipient %p", (address) => {
    const loaded = load(mail().replace('"ops@example.com"', `"${address}"`));
    expectFindings(loaded, ["hooklatch.toml: notify[0].to[0]"]);
  });

  test("names the keys that are missing, and those that only e-mail has", () => {
    expectFindings(load('[[notify]]\nformat = "smtp"'), [
      "hooklatch.toml: notify[0].host",
      "hooklatch.toml: notify[0].from",
      "hooklatch.toml: notify[0].to",
    ]);
    expectFindings(load('[[notify]]\nurl = "env:ADDRESS"\nformat = "slack"\nto = ["ops@example.com"]'), [
      "hooklatch.toml: notify[0].to",
    ]);
  });
});
