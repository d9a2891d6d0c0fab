import { Type } from "@sinclair/typebox";
import type { Lists } from "../../src/config/load.ts";
import type { Dialect, ProviderWith } from "../../src/domain/provider.ts";
import type { Secret } from "../../src/domain/secret.ts";
import { Duration, SecretReference, Table } from "../../src/domain/setting.ts";
import type { Source } from "../../src/domain/source.ts";

/** A dialect that exposes the options it was opened with. */
interface OpenedDialect extends Dialect {
  readonly secrets: readonly Secret[];
  readonly lifetime: number | undefined;
}

/** Returns the dialect of a source, or throws when the source is undefined. */
export function openedDialect(source: Source | undefined): OpenedDialect {
  if (source === undefined) throw new Error("there is no such source");
  return source.dialect as OpenedDialect;
}

function openedWith(secrets: readonly Secret[], lifetime?: number): OpenedDialect {
  return {
    secrets,
    lifetime,
    contentTypes: [],
    keptHeaders: [],
    plain: false,
    guessable: false,
    handshake: null,
    verify: () => ({ ok: false, refusal: "not authorised", guess: false }),
    read: () => ({ ok: false, kind: "undecodable", reason: "this dialect reads no events" }),
    compose: () => ({ headers: new Headers(), body: new Uint8Array() }),
  };
}

const signedOptions = Table({
  secrets: Type.Optional(Type.Array(SecretReference, { minItems: 1, expected: "a list of secrets" })),
});

const github: ProviderWith<typeof signedOptions> = {
  name: "github",
  summary: "signed",
  options: signedOptions,
  generatedSecret: "secrets",
  generates: () => true,
  check: () => [],
  tellsPushes: true,
  cloneUrl: (repository) => `https://github.com/${repository}.git`,
  open: ({ secrets = [] }) => openedWith(secrets),
  openWith: (secret) => openedWith([secret]),
};

const tokenOptions = Table({
  verify_token: Type.Optional(SecretReference),
  client_timeout: Type.Optional(Duration),
});

const generic: ProviderWith<typeof tokenOptions> = {
  name: "generic",
  summary: "by token",
  options: tokenOptions,
  generatedSecret: "verify_token",
  generates: () => true,
  check: () => [],
  tellsPushes: false,
  cloneUrl: () => null,
  open: ({ verify_token: token, client_timeout: lifetime }) => openedWith(token ? [token] : [], lifetime),
  openWith: (secret) => openedWith([secret]),
};

/** Two providers with the options of the real ones, and the two layouts. */
export const lists: Lists = { providers: [github, generic], layouts: ["releases", "worktree"] };
