import type { Config } from "../../config/load.ts";
import { readSecret } from "../../config/secrets.ts";
import type { SourceHandler } from "../../domain/provider.ts";
import type { Source } from "../../domain/source.ts";
import type { Target } from "../../domain/target.ts";
import { AppError } from "../../lib/errors.ts";
import { localOrigin, readSocketPath } from "../../lib/ip-address.ts";
import { providers } from "../../providers/index.ts";
import { readConfiguration } from "../configuration.ts";
import type { Terminal } from "../terminal.ts";

/** The options that say whom to send to. */
export interface SendDestinationOptions {
  readonly config?: string;
  readonly source?: string;
  readonly url?: string;
  readonly secret?: string;
  readonly provider: string;
  readonly repository?: string;
  readonly tag?: string;
}

/** A source of a running server, and what is known of it. */
export interface SendDestination {
  readonly url: string;
  /** Whether the address was not given but is this machine's own. */
  readonly isOurs: boolean;
  readonly dialect: SourceHandler;
  /** A target that listens to the source, for what the options leave out. */
  readonly target: Target | undefined;
}

/**
 * Whom to send to: options first, the configuration's source for what they leave out. Throws a {@link AppError}
 * `configuration` that says what is wrong with them.
 */
export function findSendDestination(options: SendDestinationOptions, terminal: Terminal): SendDestination {
  if (options.url !== undefined && options.secret !== undefined && options.config === undefined) {
    const dialect = openDialect(options, options.secret, terminal);
    return { url: checkUrl(options.url), isOurs: false, dialect, target: undefined };
  }
  const { config } = readConfiguration(options.config, terminal);
  const source = findSource(config, options);
  if (
    options.secret === undefined &&
    config.generated.some(({ source: name, secret }) => name === source.name && !secret.loaded)
  ) {
    throw new AppError(
      "configuration",
      `source ${source.name} has no secret yet: start the server once, or pass --secret`,
    );
  }
  return {
    url: options.url === undefined ? guessUrl(config, source) : checkUrl(options.url),
    isOurs: options.url === undefined,
    dialect: options.secret === undefined ? source.handler : openDialect(options, options.secret, terminal),
    target: findTarget(config, source, options),
  };
}

function findSource(config: Config, { source: name, provider }: SendDestinationOptions): Source {
  const source = config.sources.find((one) =>
    name === undefined ? one.provider === provider : one.name === name,
  );
  if (source !== undefined) return source;
  const known = config.sources.map((one) => `${one.name} (${one.provider})`).join(", ");
  throw new AppError("configuration", `no source ${name ?? `of provider ${provider}`}; there are ${known}`);
}

/** The first target that would take it, else the first of the repository. */
function findTarget(
  { targets }: Config,
  { name }: Source,
  options: SendDestinationOptions,
): Target | undefined {
  const wanted = options.repository?.toLowerCase();
  const fitting = targets.filter(
    ({ source, repository }) =>
      source === name &&
      repository !== null &&
      repository.fullName.toLowerCase() === (wanted ?? repository.fullName.toLowerCase()),
  );
  const kind = options.tag === undefined ? "branch" : "tag";
  return fitting.find(({ repository }) => repository?.ref.kind === kind) ?? fitting[0];
}

function openDialect(
  { provider: name }: SendDestinationOptions,
  secretText: string,
  terminal: Terminal,
): SourceHandler {
  const provider = providers.find((one) => one.name === name);
  if (provider === undefined) throw new AppError("configuration", `no provider ${name}`);
  return provider.createHandlerWithSecret(readSecret(secretText, "--secret", terminal));
}

function checkUrl(url: string): string {
  if (URL.canParse(url) && /^https?:/.test(url)) return url;
  throw new AppError(
    "configuration",
    `--url: expected a URL such as https://hooks.example.com/github-webhook`,
  );
}

/** The source on this machine. */
function guessUrl({ server }: Config, { path }: Source): string {
  if (readSocketPath(server.host) !== null)
    throw new AppError(
      "configuration",
      `the server listens on ${server.host}: pass --url of the proxy before it`,
    );
  if (server.port === 0)
    throw new AppError("configuration", "the server picks a free port: pass --url as its log tells it");
  return `${localOrigin(server.protocol, server)}${path}`;
}
