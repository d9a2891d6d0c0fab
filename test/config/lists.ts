import { type StaticDecode, Type } from "@sinclair/typebox";
import type { Lists } from "../../src/config/load.ts";
import type { Provider, SourceHandler } from "../../src/domain/provider.ts";
import type { Source } from "../../src/domain/source.ts";
import { DurationSetting, SecretSetting, TableSetting } from "../../src/lib/schema.ts";
import type { Secret } from "../../src/lib/secret.ts";
import { generic as realGeneric } from "../../src/providers/generic/index.ts";
import { github as realGithub } from "../../src/providers/github/index.ts";

/** A dialect that exposes the options it was opened with. */
interface OpenedDialect extends SourceHandler {
  readonly secrets: readonly Secret[];
  readonly lifetime: number | undefined;
}

/** Returns the dialect of a source, or throws when the source is undefined. */
export function openedDialect(source: Source | undefined): OpenedDialect {
  if (source === undefined) throw new Error("there is no such source");
  return source.handler as OpenedDialect;
}

function openedWith(secrets: readonly Secret[], lifetime?: number): OpenedDialect {
  return {
    secrets,
    lifetime,
    contentTypes: [],
    storedHeaders: [],
    answersSuccess: false,
    usesGuessableSecrets: false,
    handshake: null,
    verify: () => ({
      kind: "refused",
      status: "not authorised",
      code: "client_unknown",
      isThrottled: false,
    }),
    parse: () => ({ kind: "unreadable", code: "invalid_payload", reason: "this handler parses nothing" }),
    compose: () => ({ headers: new Headers(), body: new Uint8Array() }),
  };
}

const signedOptions = TableSetting({
  secrets: Type.Optional(Type.Array(SecretSetting, { minItems: 1, expected: "a list of secrets" })),
});

const { defaultSource: githubSource, publishedRanges, statusApi } = realGithub;
const { defaultSource: genericSource, variables } = realGeneric;

const github: Provider<StaticDecode<typeof signedOptions>> = {
  ...(githubSource && { defaultSource: githubSource }),
  ...(publishedRanges && { publishedRanges }),
  ...(statusApi && { statusApi }),
  name: "github",
  summary: "signed",
  options: signedOptions,
  generatedSecret: "secrets",
  needsGeneratedSecret: () => true,
  checkOptions: () => [],
  reportsPushes: true,
  cloneUrl: (repository) => `https://github.com/${repository}.git`,
  createHandler: ({ secrets = [] }) => openedWith(secrets),
  createHandlerWithSecret: (secret) => openedWith([secret]),
};

const tokenOptions = TableSetting({
  verify_token: Type.Optional(SecretSetting),
  client_timeout: Type.Optional(DurationSetting),
});

const generic: Provider<StaticDecode<typeof tokenOptions>> = {
  ...(genericSource && { defaultSource: genericSource }),
  ...(variables && { variables }),
  name: "generic",
  summary: "by token",
  options: tokenOptions,
  generatedSecret: "verify_token",
  needsGeneratedSecret: () => true,
  checkOptions: () => [],
  reportsPushes: false,
  cloneUrl: () => null,
  createHandler: ({ verify_token: token, client_timeout: lifetime }) =>
    openedWith(token ? [token] : [], lifetime),
  createHandlerWithSecret: (secret) => openedWith([secret]),
};

/** Two providers with the options and default sources of the real ones, and the two layouts. */
export const lists: Lists = { providers: [github, generic], layouts: ["releases", "worktree"] };
