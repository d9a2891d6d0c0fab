import type { Lists } from "../../src/config/load.ts";
import type { Provider, SourceHandler } from "../../src/domain/provider.ts";
import type { Source } from "../../src/domain/source.ts";
import { Secret } from "../../src/lib/secret.ts";
import { providers } from "../../src/providers/index.ts";

/** A handler that exposes the options it was created with. */
interface ExposingHandler extends SourceHandler {
  readonly options: Readonly<Record<string, unknown>>;
}

/** The secrets of a source, and the `client_timeout` in milliseconds. Throws when the source is undefined. */
export function optionsOf(source: Source | undefined): {
  readonly secrets: readonly Secret[];
  readonly lifetime: unknown;
} {
  if (source === undefined) throw new Error("the source is missing");
  const { options } = source.handler as ExposingHandler;
  const secrets = Object.values(options)
    .flat()
    .filter((value) => value instanceof Secret);
  return { secrets, lifetime: options.client_timeout };
}

function exposeOptions(provider: Provider): Provider {
  return {
    ...provider,
    createHandler: (options: Parameters<Provider["createHandler"]>[0]) => {
      return { ...provider.createHandler(options), options } as ExposingHandler;
    },
  };
}

/** The real providers, whose handlers expose their options, and the two layouts. */
export const lists: Lists = { providers: providers.map(exposeOptions), layouts: ["releases", "worktree"] };
