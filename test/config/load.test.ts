import { describe, expect, test } from "bun:test";
import { readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { stringify } from "smol-toml";
import { loadConfig } from "../../src/config/load.ts";
import { configOf, expectFindings, linesOf, makeHome } from "./home.ts";
import { lists, optionsOf } from "./lists.ts";

const FIXTURES = join(import.meta.dirname, "../fixtures/config");
const SECRETS = {
  HOOKLATCH_ADMIN_TOKEN: "admin-0123456789-abcdef",
  GITHUB_WEBHOOK_SECRET: "github-0123456789-abcdef",
  WEBHOOK_VERIFY_TOKEN: "webhook-0123456789-abcdef",
};
const DAY = 86_400_000;

describe("the manual's example", () => {
  const loaded = loadConfig("contract.toml", { env: SECRETS, cwd: FIXTURES }, lists);

  test("loads with exactly the values that it sets", () => {
    const config = configOf(loaded);
    const { sources, admin, secrets, ...rest } = config;
    expect(rest).toEqual({
      file: join(FIXTURES, "contract.toml"),
      isFound: false,
      hasDefaultSources: false,
      dataDir: "/var/lib/hooklatch",
      server: {
        host: "0.0.0.0",
        port: 9000,
        maxBody: 26_214_400,
        maxUnverified: 268_435_456,
        trustedProxies: ["10.0.0.0/8"],
        clientIpHeader: "X-Forwarded-For",
        publicUrl: "https://hooks.example.com",
        shutdownGrace: 30_000,
        logFormat: null,
        maxDeployments: 8,
        catchUpEvery: 900_000,
        protocol: "https",
        tls: {
          cert: "/etc/letsencrypt/live/hooks.example.com/fullchain.pem",
          key: "/etc/letsencrypt/live/hooks.example.com/privkey.pem",
        },
        acme: null,
        rangesUrls: { github: "https://api.github.com/meta" },
      },
      store: { keepDeliveries: 30 * DAY, keepDeployments: 180 * DAY, postgres: null },
      targets: [
        {
          name: "blog",
          source: "github",
          repository: {
            fullName: "octocat/blog",
            ref: { kind: "branch", name: "main" },
            cloneUrl: "https://github.com/octocat/blog.git",
            depth: null,
            commitUrl: "https://github.com/octocat/blog/commit/",
          },
          events: null,
          waitForCi: null,
          when: null,
          payloadEnv: {},
          directory: "/srv/blog",
          layout: "releases",
          run: ["npm ci", "npm run build"],
          after: ["systemctl reload nginx"],
          env: { NODE_ENV: "production" },
          searchPath: ["/opt/node/bin"],
          passEnv: ["SSH_AUTH_SOCK"],
          shared: ["uploads"],
          keepReleases: 5,
          timeout: 600_000,
          health: { url: "http://127.0.0.1:8080/health", within: 30_000 },
          queue: "latest",
          catchUp: true,
          access: { sshKey: null, knownHosts: null, token: null },
          paths: [],
          ignorePaths: [],
          allowedSigners: null,
          commitStatus: null,
        },
      ],
      notify: [],
      generated: [],
    });
    expect(admin).toMatchObject({ host: "127.0.0.1", port: 9001 });
    expect(secrets.map(({ owner, secret }) => [owner, secret.reveal()])).toEqual([
      ["the admin listener", SECRETS.HOOKLATCH_ADMIN_TOKEN],
      ["source github", SECRETS.GITHUB_WEBHOOK_SECRET],
      ["source webhook", SECRETS.WEBHOOK_VERIFY_TOKEN],
    ]);
    expect(sources.map(({ handler: _, ...source }) => source)).toEqual([
      {
        name: "github",
        provider: "github",
        path: "/github-webhook",
        print: false,
        keepHeaders: [],
        answer: { kind: "receipt" },
        onRedelivery: "run",
        allow: null,
      },
      {
        name: "webhook",
        provider: "generic",
        path: "/webhook",
        print: true,
        keepHeaders: [],
        answer: { kind: "receipt" },
        onRedelivery: "run",
        allow: null,
      },
    ]);
    expect(loaded).toMatchObject({ kind: "loaded", warnings: [] });
  });

  test("opens its sources with their secrets and durations", () => {
    const { admin, sources } = configOf(loaded);
    const options = sources.map(optionsOf);
    expect(admin.token.reveal()).toBe(SECRETS.HOOKLATCH_ADMIN_TOKEN);
    expect(options.map(({ secrets }) => secrets.map((secret) => secret.reveal()))).toEqual([
      [SECRETS.GITHUB_WEBHOOK_SECRET],
      [SECRETS.WEBHOOK_VERIFY_TOKEN],
    ]);
    expect(options.map(({ lifetime }) => lifetime)).toEqual([undefined, DAY]);
  });

  test("is frozen and prints no secret", () => {
    const config = configOf(loaded);
    const { server, admin, store, sources, targets, notify } = config;
    for (const part of [config, server, admin, store, sources, targets, notify]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
    for (const secret of Object.values(SECRETS)) {
      expect(JSON.stringify(loaded)).not.toContain(secret);
      expect(String(loaded)).not.toContain(secret);
    }
  });
});

describe("the configuration file", () => {
  const home = makeHome();

  test("is optional: without it the defaults apply and no file is created", () => {
    const config = configOf(home.load());
    expect(config.file).toBeNull();
    expect(config.dataDir).toBe(home.path("hooklatch-data"));
    expect(config.server).toEqual({
      host: "127.0.0.1",
      port: 9000,
      maxBody: 26_214_400,
      maxUnverified: 268_435_456,
      trustedProxies: [],
      clientIpHeader: "X-Forwarded-For",
      publicUrl: null,
      shutdownGrace: 30_000,
      logFormat: null,
      maxDeployments: 8,
      catchUpEvery: 900_000,
      protocol: "http",
      tls: null,
      acme: null,
      rangesUrls: { github: "https://api.github.com/meta" },
    });
    expect(config.store).toEqual({ keepDeliveries: 30 * DAY, keepDeployments: 180 * DAY, postgres: null });
    expect(config.sources.map(({ name, path, print }) => ({ name, path, print }))).toEqual([
      { name: "github", path: "/github-webhook", print: true },
      { name: "webhook", path: "/webhook", print: true },
    ]);
    expect(config.targets).toEqual([]);
    expect(config.notify).toEqual([]);
    expect(config.generated.map(({ file, secret }) => [file, secret.loaded])).toEqual([
      [home.path("hooklatch-data/secrets/admin.token"), false],
      [home.path("hooklatch-data/secrets/github.secret"), false],
      [home.path("hooklatch-data/secrets/webhook.verify-token"), false],
    ]);
    expect(config.generated.map(({ what }) => what)).toMatchSnapshot();
    expect(readdirSync(home.path())).toEqual([]);
  });

  test("comes from the command line, else $HOOKLATCH_CONFIG, else ./hooklatch.toml, else the system file", () => {
    const explicit = home.write("explicit.toml", "[server]\nport = 1");
    const named = home.write("named.toml", "[server]\nport = 2");
    home.write("hooklatch.toml", "[server]\nport = 3");
    home.write("system.toml", "[server]\nport = 4");
    const env = { HOOKLATCH_CONFIG: "named.toml" };
    expect(configOf(home.load({ file: "explicit.toml", env }))).toMatchObject({
      file: explicit,
      server: { port: 1 },
    });
    expect(configOf(home.load({ env }))).toMatchObject({ file: named, server: { port: 2 } });
    expect(configOf(home.load()).server.port).toBe(3);
  });

  test("is the system file when no other exists", () => {
    home.write("system.toml", "[server]\nport = 4");
    expect(configOf(home.load())).toMatchObject({ file: home.path("system.toml"), server: { port: 4 } });
  });

  test("must exist when it is named, even if other files exist", () => {
    home.write("hooklatch.toml", "");
    const missing = home.load({ file: "missing.toml" });
    expect(missing).toEqual({
      kind: "invalid",
      file: home.path("missing.toml"),
      faults: [{ file: "missing.toml", path: "", message: expect.any(String) }],
    });
    expectFindings(missing, ["missing.toml"]);
    expectFindings(home.load({ env: { HOOKLATCH_CONFIG: "missing.toml" } }), [
      ["missing.toml", "$HOOKLATCH_CONFIG"],
    ]);
    expectFindings(home.load({ env: { HOOKLATCH_CONFIG: "" } }), ["environment: $HOOKLATCH_CONFIG"]);
  });

  test("must be a regular file with UTF-8 text", () => {
    symlinkSync(home.path(), home.path("hooklatch.toml"));
    expectFindings(home.load(), ["hooklatch.toml"]);
    home.write("latin.toml", new Uint8Array([0x61, 0x3d, 0x22, 0xe9, 0x22]));
    expectFindings(home.load({ file: "latin.toml" }), [["latin.toml", "UTF-8"]]);
  });

  test("may start with a byte order mark", () => {
    home.write("hooklatch.toml", "\uFEFF[server]\r\nport = 3\r\n");
    expect(configOf(home.load()).server.port).toBe(3);
  });

  test("is the base of its relative paths", () => {
    home.write(
      "etc/hooklatch.toml",
      `data_dir = "data"
      [server.tls]
      cert = "cert.pem"
      key = "/keys/key.pem"
      [[target]]
      name = "site"
      repository = "octocat/site"
      branch = "main"
      clone_url = "../site.git"
      directory = "../site"`,
    );
    const config = configOf(home.load({ file: "etc/hooklatch.toml" }));
    expect(config.dataDir).toBe(home.path("etc/data"));
    expect(config.server.tls).toEqual({ cert: home.path("etc/cert.pem"), key: "/keys/key.pem" });
    expect(config.targets[0]).toMatchObject({
      events: null,
      waitForCi: null,
      when: null,
      payloadEnv: {},
      directory: home.path("site"),
      repository: { cloneUrl: home.path("site.git") },
    });
  });
});

describe("a target", () => {
  const home = makeHome();

  test("requires only a name, a repository, a branch and a directory", () => {
    home.write(
      "hooklatch.toml",
      '[[target]]\nname = "blog"\nrepository = "octocat/blog"\nbranch = "main"\ndirectory = "/srv/blog"',
    );
    const config = configOf(home.load());
    expect(config.targets).toEqual([
      {
        name: "blog",
        source: "github",
        repository: {
          fullName: "octocat/blog",
          ref: { kind: "branch", name: "main" },
          cloneUrl: "https://github.com/octocat/blog.git",
          depth: null,
          commitUrl: "https://github.com/octocat/blog/commit/",
        },
        events: null,
        waitForCi: null,
        when: null,
        payloadEnv: {},
        directory: "/srv/blog",
        layout: "releases",
        run: [],
        after: [],
        searchPath: [],
        env: {},
        passEnv: [],
        shared: [],
        keepReleases: 5,
        timeout: 600_000,
        health: null,
        queue: "latest",
        catchUp: true,
        access: { sshKey: null, knownHosts: null, token: null },
        paths: [],
        ignorePaths: [],
        allowedSigners: null,
        commitStatus: null,
      },
    ]);
    expect(config.sources.map(({ name, print }) => [name, print])).toEqual([
      ["github", false],
      ["webhook", true],
    ]);
  });

  test("without a repository has no watch and may contain the data directory", () => {
    home.write(
      "hooklatch.toml",
      '[[target]]\nname = "script"\nsource = "webhook"\ndirectory = "."\nrun = [["./script", ""], "true"]',
    );
    expect(configOf(home.load()).targets[0]).toMatchObject({
      source: "webhook",
      repository: null,
      events: null,
      waitForCi: null,
      when: null,
      payloadEnv: {},
      directory: home.path(),
      run: [["./script", ""], "true"],
    });
  });

  test("uses catch_up_every as the interval of catching up, or never catches up", () => {
    for (const [written, every] of [
      ['"90s"', 90_000],
      ['"off"', null],
    ] as const) {
      home.write("hooklatch.toml", `[server]\ncatch_up_every = ${written}\nmax_unverified = "25MiB"\n`);
      expect(configOf(home.load()).server).toMatchObject({ catchUpEvery: every, maxUnverified: 26_214_400 });
    }
    home.write("hooklatch.toml", '[server]\ncatch_up_every = "often"\nmax_unverified = "1MiB"\n');
    expectFindings(home.load(), [
      ["hooklatch.toml: server.catch_up_every", '"often"'],
      ["hooklatch.toml: server.max_unverified", "max_body"],
    ]);
  });

  test("watches tags by a pattern and clones from its clone_url", () => {
    home.write(
      "hooklatch.toml",
      `[[source]]
      name = "any"
      provider = "generic"
      path = "/any"
      on_redelivery = "skip"
      [[target]]
      name = "tool"
      repository = "octocat/tool"
      tag = "v*"
      clone_url = "git@example.com:octocat/tool.git"
      directory = "/srv/tool"
      catch_up = false
      health = { url = "https://example.com/" }`,
    );
    const { sources, targets } = configOf(home.load());
    expect(sources[0]?.onRedelivery).toBe("skip");
    expect(targets[0]).toMatchObject({
      source: "any",
      repository: {
        ref: { kind: "tag", pattern: "v*", prereleases: false },
        cloneUrl: "git@example.com:octocat/tool.git",
      },
      catchUp: false,
      health: { within: 30_000 },
    });
  });
});

describe("a file with random content", () => {
  const home = makeHome();
  const word = fc.constantFrom(
    ..."data_dir server admin store source target name provider path secrets verify_token client_timeout".split(
      " ",
    ),
    ..."repository branch tag clone_url directory layout run after env shared health url within tls cert".split(
      " ",
    ),
    ..."ssh_key token paths verify_commit allowed_signers status_token status_url notify secret format on targets".split(
      " ",
    ),
    ..."https://example.com slack whsec_ host allow unix: unix 10.0.0.0/8 trusted_proxies".split(" "),
    ..."constructor toString hasOwnProperty github generic /hook env:PATH file:x octocat/blog main 10m".split(
      " ",
    ),
  );
  const text = fc.oneof(word, fc.string());
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      text,
      fc.integer(),
      fc.double(),
      fc.boolean(),
      fc.date({ noInvalidDate: true, min: new Date("1000-01-01"), max: new Date("9000-01-01") }),
      fc.array(tie("value"), { maxLength: 4 }),
      fc.dictionary(text, tie("value"), { maxKeys: 6 }),
    ),
  }));
  const document = fc.record(
    {
      data_dir: value,
      server: value,
      admin: value,
      store: value,
      source: fc.oneof(value, fc.array(fc.dictionary(word, value), { maxLength: 3 })),
      target: fc.oneof(value, fc.array(fc.dictionary(word, value), { maxLength: 3 })),
      notify: fc.oneof(value, fc.array(fc.dictionary(word, value), { maxLength: 3 })),
    },
    { requiredKeys: [] },
  );

  test("a list in place of a table is a fault", () => {
    home.write("hooklatch.toml", '[[target]]\nname = "a"\ndirectory = "/x"\nenv = ["data_dir"]\n');
    const loaded = home.load();
    expect(loaded.kind === "invalid" && loaded.faults.map(({ path }) => path)).toContain("target[0].env[0]");
  });

  test("random tables load as a configuration or as faults of one line each, without an exception", () => {
    fc.assert(
      fc.property(document, (table) => {
        home.write("hooklatch.toml", stringify(table));
        const loaded = home.load();
        expect(loaded.kind === "loaded" || loaded.faults.length > 0).toBe(true);
        for (const line of linesOf(loaded)) expect(line).not.toMatch(/[\n\r]/);
      }),
      { numRuns: 300 },
    );
  });

  test("random bytes load as a configuration or as faults, without an exception", () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.string({ unit: "binary" })), (content) => {
        home.write("hooklatch.toml", content);
        const loaded = home.load();
        expect(loaded.kind === "loaded" || loaded.faults.length > 0).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
