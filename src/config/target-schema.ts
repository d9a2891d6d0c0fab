import { Type } from "@sinclair/typebox";
import { CheckedString, Defaulted, SecretSetting, TableSetting } from "../lib/schema.ts";
import { parseHttpUrl } from "./read/network.ts";
import type { CheckedTable } from "./read/table.ts";
import { BaseUrl, Name, Path, Switch, Timer } from "./schema.ts";

const SEGMENT = "(?!\\.{1,2}(?:/|$))[^/\\x00-\\x1f\\x7f]+";
const Text = Type.String({ pattern: "^[^\\0]*$", secret: true, expected: "a string" });
const VARIABLE = {
  pattern: "^(?!HOOKLATCH_)[A-Za-z_][A-Za-z0-9_]*$",
  expected: "the name of an environment variable that does not begin with HOOKLATCH_",
};

const SharedPath = Type.String({
  pattern: `^(?!\\.[gG][iI][tT](?:/|$))${SEGMENT}(?:/${SEGMENT})*/?$`,
  expected: 'a relative path inside the release, such as "uploads/", without "." or "..", outside ".git"',
});

/** Git gets them as pathspecs from the top of the repository with `glob` magic (gitglossary(7)). */
const Globs = Type.Array(
  Type.String({
    pattern: `^(?![/:!])${SEGMENT}(?:/${SEGMENT})*/?$`,
    expected: 'a glob such as "docs/**", without "." or ".." in it and without "/", ":" or "!" at its start',
  }),
  { minItems: 1, expected: "a list of globs, with at least one" },
);

const Command = Type.Union(
  [Type.String({ pattern: "^\\s*[^\\s\\0][^\\0]*$", secret: true }), Type.Array(Text, { minItems: 1 })],
  { expected: "a command: a string for /bin/sh, or a list of strings to run without a shell" },
);
const Commands = Type.Array(Command, { expected: "a list of commands" });

const ExpressionText = Type.String({
  pattern: "\\S",
  maxLength: 4096,
  expected: "a CEL expression of at most 4,096 characters",
});

/** One `[[target]]`. */
export const TargetTable = TableSetting(
  {
    name: Name,
    directory: Path,
    source: Type.Optional(Type.String({ expected: "the name of a source" })),
    repository: Type.Optional(
      Type.String({
        // A `~` begins the repositories of a user at Bitbucket Data Center.
        pattern: "^~?[A-Za-z0-9][\\w.-]*(?:/(?!\\.{1,2}(?:/|$))(?![\\w.-]*\\.git$)[\\w.-]+)+$",
        expected: 'a repository as "owner/name", without ".git"',
      }),
    ),
    branch: Type.Optional(Type.String({ expected: "the name of a branch" })),
    tag: Type.Optional(Type.String({ expected: 'a tag or a pattern such as "v*"' })),
    prereleases: Defaulted(Switch, false),
    clone_url: Type.Optional(
      Type.String({ secret: true, expected: "a URL or path that git can clone from" }),
    ),
    depth: Type.Optional(Type.Integer({ minimum: 1, expected: "a whole number from 1" })),
    ssh_key: Type.Optional(Path),
    known_hosts: Type.Optional(Path),
    token: Type.Optional(SecretSetting),
    layout: Defaulted(Type.String({ expected: "the name of a layout" }), "releases"),
    run: Defaulted(Commands, []),
    after: Defaulted(Commands, []),
    path: Defaulted(
      Type.Array(
        Type.String({ pattern: "^[^:\\x00-\\x1f\\x7f]+$", expected: "a directory, without a colon" }),
        { expected: "a list of directories" },
      ),
      [],
    ),
    env: Defaulted(
      Type.Record(Type.String({ pattern: VARIABLE.pattern }), Text, {
        additionalProperties: false,
        expected: "a table of environment variables",
        expectedKey: VARIABLE.expected,
      }),
      {},
    ),
    payload_env: Defaulted(
      Type.Record(Type.String({ pattern: VARIABLE.pattern }), ExpressionText, {
        additionalProperties: false,
        expected: "a table of environment variables and CEL expressions",
        expectedKey: VARIABLE.expected,
      }),
      {},
    ),
    events: Type.Optional(
      Type.Array(
        Type.String({
          pattern: "^[^\\x00-\\x20\\x7f](?:[^\\x00-\\x1f\\x7f]{0,98}[^\\x00-\\x20\\x7f])?$",
          expected: 'the name of an event, such as "push" or "release.published"',
        }),
        { minItems: 1, uniqueItems: true, expected: "a list of names of events, at least one, each once" },
      ),
    ),
    when: Type.Optional(ExpressionText),
    wait_for_ci: Type.Optional(
      Type.Union([Type.Boolean(), Type.String({ pattern: "^[^\\x00-\\x1f\\x7f]{1,200}$" })], {
        expected: "true, or the name of a workflow",
      }),
    ),
    pass_env: Defaulted(
      Type.Array(Type.String(VARIABLE), { expected: "a list of names of environment variables" }),
      [],
    ),
    shared: Defaulted(Type.Array(SharedPath, { expected: "a list of paths" }), []),
    keep_releases: Defaulted(Type.Integer({ minimum: 1, expected: "a whole number from 1" }), 5),
    timeout: Defaulted(Timer, "10m"),
    health: Type.Optional(
      TableSetting(
        {
          url: CheckedString("http-url", (text) => parseHttpUrl(text) !== undefined, {
            secret: true,
            expected: 'a URL such as "http://127.0.0.1:8080/health", without a user or password',
          }),
          within: Defaulted(Timer, "30s"),
        },
        {
          url: "URL that must answer 2xx once the release is live. Otherwise the previous release becomes live again.",
          within: "Time that the URL has to answer.",
        },
      ),
    ),
    paths: Type.Optional(Globs),
    ignore_paths: Type.Optional(Globs),
    verify_commit: Defaulted(Switch, false),
    allowed_signers: Type.Optional(Path),
    queue: Type.Optional(
      Type.Union([Type.Literal("latest"), Type.Literal("all")], { expected: '"latest" or "all"' }),
    ),
    catch_up: Defaulted(Switch, true),
    hosts: Type.Optional(
      Type.Array(Name, {
        minItems: 1,
        uniqueItems: true,
        expected: "a list of names of hosts, at least one, each once",
      }),
    ),
    rollout: Type.Optional(
      Type.Union([Type.Literal("together"), Type.Literal("one-by-one")], {
        expected: '"together" or "one-by-one"',
      }),
    ),
    status_token: Type.Optional(SecretSetting),
    status_url: Type.Optional(BaseUrl("https://api.github.com")),
  },
  {
    name: "Name in commands and logs. Unique, without regard to case.",
    directory:
      "Directory of the target. No two targets share one, and none is inside another's, unless both are without `repository`.",
    source:
      "Name of the source whose deliveries deploy the target. Default: the only source that fits; with `repository`, sources that report pushes fit first.",
    repository:
      "Repository, compared without regard to case. Without it there is [no git step](deployments.md#targets-without-a-repository): every delivery runs the commands in `directory`.",
    branch: "Branch, compared exactly. With `repository`, either `branch` or `tag` is required.",
    tag: "Tag or pattern; `*` matches any text. The newest matching tag by version is deployed.",
    prereleases:
      "Whether a pattern in `tag` also matches pre-releases by Semantic Versioning, such as `v2.0.0-rc.1`. A pattern that names them, such as `v*-rc*`, always does.",
    clone_url:
      "Address to clone from. It is never taken from a payload. Default: the repository on the public host of the provider.",
    depth:
      "Number of commits to fetch from the tip back, for large repositories; more only when needed. See [Large repositories](deployments.md#large-repositories). Default: the whole history.",
    ssh_key:
      "Private key for an ssh `clone_url`, a file with mode 0600; see [Private repositories](deployments.md#private-repositories). Default: the keys that ssh finds itself.",
    known_hosts: "File with the host keys for an ssh `clone_url`. Default: the files that ssh finds itself.",
    token: "Token for an https `clone_url`.",
    layout:
      'Arrangement of the directory: `"releases"` or `"worktree"`; see [Layouts](deployments.md#layouts).',
    run: "[Commands](deployments.md#commands) in the new release, before it goes live. A string is run by `/bin/sh -c`; a list of strings is an argument list without a shell.",
    after: "Commands once the release is live.",
    payload_env:
      "Environment variables whose values are [CEL expressions](deployments.md#rules) over the delivery. A missing field leaves the variable unset.",
    events:
      'Events that deploy the target, by the provider\'s names, such as `"push"` or, with an action, `"release.published"`; see [Rules](deployments.md#rules). Default: `["push"]` with `repository`, every event without.',
    when: "[CEL expression](deployments.md#rules) over the delivery that must be true. Default: no condition.",
    wait_for_ci:
      "Deploy a commit once its [CI succeeded](deployments.md#wait-for-ci), not when it is pushed: `true` for all workflows that run for a push, or the name of one workflow.",
    path: "Directories, as absolute paths, in which the commands and git search programs before those of `PATH`.",
    env: "Environment variables for the commands. The values are used as they are: `$NAME` and `~` are not expanded.",
    pass_env: "Variables of the server's environment that the commands get.",
    shared:
      "Paths that are linked into every release from `<directory>/shared`, so that they survive it. A directory ends in `/`.",
    keep_releases: "Number of releases that stay on disk. The live one and the previous one always stay.",
    timeout: "Limit for the whole deployment.",
    health: "[Health check](deployments.md#health-check) after the release went live.",
    paths:
      "Deploy only if a changed file matches: `*` within a directory, `**` across directories; see [When a push is not deployed](deployments.md#when-a-push-is-not-deployed). Default: every file matches.",
    ignore_paths: "Files whose changes do not count.",
    verify_commit: "Deploy only commits that are signed by a key in `allowed_signers`.",
    allowed_signers:
      "File of SSH keys in the format of ssh-keygen(1), ALLOWED SIGNERS. Required with `verify_commit = true`.",
    queue:
      'What happens to deliveries while a deployment runs: `"latest"` keeps the newest, `"all"` runs every one in order, and answers 503 beyond 1,000. Default: `"latest"` with `repository`, else `"all"`.',
    catch_up: "Deploy [missed pushes](deployments.md#missed-pushes).",
    hosts:
      "With a shared store, the [hosts](fleet.md) that deploy the target, in the order of a rollout. Default: every host whose configuration has the target, by name.",
    rollout:
      'With a shared store, whether all hosts deploy at the same time, `"together"`, or each begins when the one before it has succeeded, `"one-by-one"`; see [Rollouts](fleet.md#rollouts). Default: `"together"`.',
    status_token:
      "Token that reports the result as a [commit status](deployments.md#commit-status). Default: no status is reported.",
    status_url:
      "Base URL of the API for commit statuses. Default: the API of the public host of the provider.",
  },
);

/** One `[[target]]` after the check of its values. */
export type TargetSettings = CheckedTable<typeof TargetTable>;
