import { Type } from "@sinclair/typebox";
import { DurationSetting, SecretSetting, SizeSetting, TableSetting } from "../lib/schema.ts";
import { EXPECTED_HOST, EXPECTED_RANGE } from "./read/network.ts";
import type { CheckedTable } from "./read/table.ts";

/**
 * The configuration file as it is written. A schema checks each value alone; rules about several values are checked
 * where they are resolved. `secret` marks values that no message may repeat: secrets, and settings that may hold one.
 */

const NO_CONTROLS = "^[^\\x00-\\x1f\\x7f]+$";

/** Completes "expected …" for a port. */
export const EXPECTED_PORT = "a port number from 0 to 65535";
/** Completes "expected …" for a domain. */
export const EXPECTED_DOMAIN = 'a DNS name such as "hooks.example.com"';
/** Completes "expected …" for the directory of a CA. */
export const EXPECTED_DIRECTORY = 'an https URL such as "https://acme-v02.api.letsencrypt.org/directory"';

const Name = Type.String({
  pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
  expected: 'a name of at most 64 letters, digits and "._-" that starts with a letter or digit',
});
const Path = Type.String({ pattern: NO_CONTROLS, expected: "a path" });
const Port = Type.Integer({ minimum: 0, maximum: 65_535, expected: EXPECTED_PORT });
const Host = Type.String({ expected: EXPECTED_HOST });
const SEGMENT = "(?!\\.{1,2}(?:/|$))[^/\\x00-\\x1f\\x7f]+";
const Text = Type.String({ pattern: "^[^\\0]*$", secret: true, expected: "a string" });
const Switch = Type.Boolean({ expected: "true or false" });
const VARIABLE = {
  pattern: "^(?!HOOKLATCH_)[A-Za-z_][A-Za-z0-9_]*$",
  expected: "the name of an environment variable, other than hooklatch's own HOOKLATCH_…",
};

/** The document's top level. Its tables are checked one by one, so that one fault does not hide others. */
export const DocumentTable = TableSetting({
  data_dir: Type.Optional(Path),
  server: Type.Optional(Type.Unknown()),
  admin: Type.Optional(Type.Unknown()),
  store: Type.Optional(Type.Unknown()),
  source: Type.Optional(
    Type.Array(Type.Unknown(), { secret: true, expected: "tables, each under its own [[source]]" }),
  ),
  target: Type.Optional(
    Type.Array(Type.Unknown(), { secret: true, expected: "tables, each under its own [[target]]" }),
  ),
  notify: Type.Optional(
    Type.Array(Type.Unknown(), { secret: true, expected: "tables, each under its own [[notify]]" }),
  ),
});

/** `[server]`, the public listener. Providers that publish their address ranges add `<provider>_ranges_url`. */
export const ServerTable = TableSetting({
  host: Type.Optional(Host),
  port: Type.Optional(Port),
  max_body: Type.Optional(SizeSetting),
  max_unverified: Type.Optional(SizeSetting),
  trusted_proxies: Type.Optional(
    Type.Array(Type.String({ expected: `${EXPECTED_RANGE}, or "unix"` }), {
      expected: "a list of IP addresses and ranges",
    }),
  ),
  public_url: Type.Optional(
    Type.String({ secret: true, expected: 'a URL such as "https://hooks.example.com"' }),
  ),
  shutdown_grace: Type.Optional(DurationSetting),
  max_deployments: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 1000, expected: "a whole number from 1 to 1000" }),
  ),
  catch_up_every: Type.Optional(
    Type.Union([Type.Literal("off"), DurationSetting], { expected: 'a duration such as "15m", or "off"' }),
  ),
  tls: Type.Optional(TableSetting({ cert: Path, key: Path })),
  acme: Type.Optional(Type.Unknown()),
});

/** `[server.acme]`, a certificate from a CA. */
export const AcmeTable = TableSetting({
  domains: Type.Array(Type.String({ expected: EXPECTED_DOMAIN }), {
    minItems: 1,
    expected: `a list of DNS names such as "hooks.example.com", with at least one`,
  }),
  email: Type.Optional(
    Type.String({
      // It becomes part of a mailto URL, where other characters would need encoding (RFC 6068, section 2).
      pattern: "^[A-Za-z0-9.!$'*+/_{|}~-]+@[A-Za-z0-9.-]+$",
      expected: 'an e-mail address such as "you@example.com"',
    }),
  ),
  directory: Type.Optional(Type.String({ secret: true, expected: EXPECTED_DIRECTORY })),
  terms_agreed: Type.Optional(Switch),
  http_port: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 65_535, expected: "a port number from 1 to 65535" }),
  ),
  ca: Type.Optional(Path),
});

/** `[admin]`, the listener for operators. */
export const AdminTable = TableSetting({
  host: Type.Optional(Host),
  port: Type.Optional(Port),
  token: Type.Optional(SecretSetting),
});

/** `[store]`, the retention of history. */
export const StoreTable = TableSetting({
  keep_deliveries: Type.Optional(DurationSetting),
  keep_deployments: Type.Optional(DurationSetting),
});

/** The keys of every `[[source]]`, whatever its provider. */
export const SourceTable = TableSetting({
  name: Name,
  provider: Type.String({ expected: "the name of a provider" }),
  path: Type.String({
    // Paths are compared with a request's path byte for byte, so nothing in them may need decoding.
    pattern: "^(?:/(?!\\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)+$",
    expected: 'a path such as "/github-webhook", of letters, digits and "._~-", without a slash at its end',
  }),
  print: Type.Optional(Switch),
  on_redelivery: Type.Optional(
    Type.Union([Type.Literal("run"), Type.Literal("skip")], { expected: '"run" or "skip"' }),
  ),
  // An empty list would refuse every sender.
  allow: Type.Optional(
    Type.Array(
      Type.String({ expected: "an IP address, a range, or a provider that publishes its address ranges" }),
      {
        minItems: 1,
        expected:
          "a list of IP addresses, ranges and providers that publish their address ranges, with at least one",
      },
    ),
  ),
});

const SharedPath = Type.String({
  pattern: `^(?!\\.[gG][iI][tT](?:/|$))${SEGMENT}(?:/${SEGMENT})*$`,
  expected: 'a relative path inside the release, such as "uploads", without "." or "..", outside ".git"',
});

/** Git gets them as pathspecs from the top of the repository with `glob` magic (gitglossary(7)). */
const Globs = Type.Array(
  Type.String({
    pattern: `^(?![/:!])${SEGMENT}(?:/${SEGMENT})*/?$`,
    expected:
      'a glob such as "docs/**", from the top of the repository, without "." or "..", and without "/", ":" or "!" at its start',
  }),
  { minItems: 1, expected: "a list of globs, with at least one" },
);

const Command = Type.Union(
  [Type.String({ pattern: "^\\s*[^\\s\\0][^\\0]*$", secret: true }), Type.Array(Text, { minItems: 1 })],
  { expected: "a command: a string for /bin/sh, or an array of strings that no shell sees" },
);
const Commands = Type.Array(Command, { expected: "a list of commands" });

/** One `[[target]]`. */
export const TargetTable = TableSetting({
  name: Name,
  source: Type.Optional(Type.String({ expected: "the name of a source" })),
  repository: Type.Optional(
    Type.String({
      pattern: "^[A-Za-z0-9][\\w.-]*/(?!\\.{1,2}$)(?![\\w.-]*\\.git$)[\\w.-]+$",
      expected: 'a repository as "owner/name", without ".git"',
    }),
  ),
  branch: Type.Optional(Type.String({ expected: "the name of a branch" })),
  tag: Type.Optional(Type.String({ expected: 'a tag or a pattern such as "v*"' })),
  clone_url: Type.Optional(Type.String({ secret: true, expected: "a URL or path that git can clone from" })),
  ssh_key: Type.Optional(Path),
  known_hosts: Type.Optional(Path),
  token: Type.Optional(SecretSetting),
  paths: Type.Optional(Globs),
  ignore_paths: Type.Optional(Globs),
  verify_commit: Type.Optional(Switch),
  allowed_signers: Type.Optional(Path),
  directory: Path,
  layout: Type.Optional(Type.String({ expected: "the name of a layout" })),
  run: Type.Optional(Commands),
  after: Type.Optional(Commands),
  env: Type.Optional(
    Type.Record(Type.String({ pattern: VARIABLE.pattern }), Text, {
      additionalProperties: false,
      expected: "a table of environment variables",
      expectedKey: VARIABLE.expected,
    }),
  ),
  pass_env: Type.Optional(
    Type.Array(Type.String(VARIABLE), { expected: "a list of names of environment variables" }),
  ),
  shared: Type.Optional(Type.Array(SharedPath, { expected: "a list of paths" })),
  keep_releases: Type.Optional(Type.Integer({ minimum: 1, expected: "a whole number from 1" })),
  timeout: Type.Optional(DurationSetting),
  health: Type.Optional(
    Type.Object(
      {
        url: Type.String({
          pattern: "^https?://",
          secret: true,
          expected: 'a URL such as "http://127.0.0.1:8080/health"',
        }),
        within: Type.Optional(DurationSetting),
      },
      { additionalProperties: false, expected: "a table" },
    ),
  ),
  catch_up: Type.Optional(Switch),
  status_token: Type.Optional(SecretSetting),
  status_url: Type.Optional(
    Type.String({ secret: true, expected: 'the base of an API, such as "https://api.github.com"' }),
  ),
});

/** One `[[target]]` after the check of its values. */
export type TargetSettings = CheckedTable<typeof TargetTable>;

/** One `[[notify]]`. */
export const NotifyTable = TableSetting({
  name: Type.Optional(Name),
  url: {
    ...SecretSetting,
    expected: 'an https URL, or a reference to one: "env:NAME", "file:PATH" or "credential:NAME"',
  },
  secret: Type.Optional(SecretSetting),
  format: Type.Optional(
    Type.Union([Type.Literal("standard"), Type.Literal("slack")], { expected: '"standard" or "slack"' }),
  ),
  on: Type.Optional(
    Type.Array(
      Type.Union([Type.Literal("failed"), Type.Literal("recovered"), Type.Literal("succeeded")], {
        expected: '"failed", "recovered" or "succeeded"',
      }),
      {
        minItems: 1,
        uniqueItems: true,
        expected: 'a list of one or more of "failed", "recovered" and "succeeded", each once',
      },
    ),
  ),
  targets: Type.Optional(
    Type.Array(Type.String({ expected: "the name of a target" }), {
      minItems: 1,
      uniqueItems: true,
      expected: "a list of the names of targets, at least one, each once",
    }),
  ),
});
