import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { resolve } from "node:path";
import { Command, Option } from "commander";
import type { Config } from "../../config/load.ts";
import { describeReadError } from "../../config/read/toml.ts";
import { readSecret } from "../../config/secrets.ts";
import { readRemoteTip } from "../../deploy/git/ls-remote.ts";
import { runProcess } from "../../deploy/process/process.ts";
import type { SampleRequest, SourceHandler } from "../../domain/provider.ts";
import type { Source } from "../../domain/source.ts";
import type { Target } from "../../domain/target.ts";
import { AppError } from "../../lib/errors.ts";
import { isLoopback, localOrigin, readSocketPath } from "../../lib/ip-address.ts";
import { providers } from "../../providers/index.ts";
import { sendDelivery, showToken } from "../api/request.ts";
import { checkDeliveryId, checkFullCommit } from "../arguments.ts";
import { readConfiguration } from "../configuration.ts";
import { CONFIG_OPTION, withExamples } from "../options.ts";
import { makeTextPrintable } from "../output/sanitise.ts";
import { EXIT, type Finish, type Terminal } from "../terminal.ts";

interface SendOptions {
  readonly config?: string;
  readonly source?: string;
  readonly url?: string;
  readonly secret?: string;
  readonly provider: string;
  readonly repository?: string;
  readonly form: boolean;
  readonly payload?: string;
  readonly event?: string;
  readonly deliveryId?: string;
  readonly insecure: boolean;
  readonly branch?: string;
  readonly tag?: string;
  readonly commit?: string;
  readonly before?: string;
  readonly deleted?: boolean;
}

/** `hooklatch send`: sends a test delivery to a running server. */
export function send(terminal: Terminal, finish: Finish): Command {
  const ping = new Command("ping").description("send the event of a new webhook");
  const push = new Command("push")
    .description("send the event of a push")
    .option("--branch <name>", "pushed branch (default: the target's, else main)")
    .addOption(new Option("--tag <name>", "pushed tag").conflicts("branch"))
    .option(
      "--commit <id>",
      "pushed commit (default: the tip of the target's branch, else random)",
      checkFullCommit,
    )
    .option("--before <id>", "previous commit (default: random)", checkFullCommit)
    .addOption(new Option("--deleted", "the branch or tag was deleted").conflicts("commit"));
  const command = new Command("send").description(
    "sign a delivery as the provider would and send it to a running server",
  );
  for (const event of [ping, push]) {
    withSendOptions(event).action(async (options: SendOptions) => {
      const { url, isLocal, handler, target } = findDestination(options, terminal);
      const sample = await composeSample(event.name(), options, target, terminal);
      // The certificate of a local server is for its public name.
      const insecure = options.insecure || isLocal;
      const shown = await showToken(url, handler, insecure);
      const response =
        shown === null || shown.code === 200 ? await sendDelivery(url, handler, sample, insecure) : shown;
      terminal.out(`${response.code} ${makeTextPrintable(response.text)}\n`);
      finish(response.code >= 200 && response.code < 300 ? EXIT.done : EXIT.failed);
    });
    command.addCommand(event);
  }
  withExamples(ping, "hooklatch send ping --source github");
  withExamples(
    push,
    "hooklatch send push --branch main",
    "hooklatch send push --event workflow_run --payload payload.json",
    "hooklatch send push --url https://hooks.example.com/github-webhook --secret file:github.secret",
  );
  return withExamples(command, "hooklatch send ping", "hooklatch send push --branch main");
}

function withSendOptions(command: Command): Command {
  const names = providers.map(({ name }) => name);
  return command
    .option(...CONFIG_OPTION)
    .addOption(
      new Option("--source <name>", "source to send to (default: the first one of the provider)").conflicts(
        "provider",
      ),
    )
    .option("--url <url>", "URL to send to (default: the source's path on this machine)")
    .option(
      "--secret <secret>",
      "env:NAME, file:PATH or the secret itself; for generic, a verify token (default: the source's)",
    )
    .addOption(new Option("--provider <name>", "provider to imitate").choices(names).default(names[0]))
    .option("--repository <owner/name>", "repository in the payload (default: that of a target)")
    .option("--form", "send the payload as a form, GitHub's default", false)
    .addOption(
      // A payload says all of this itself.
      new Option("--payload <file>", "send the JSON of this file, byte for byte").conflicts([
        "repository",
        "branch",
        "tag",
        "commit",
        "before",
        "deleted",
      ]),
    )
    .option("--event <name>", "with --payload: the provider's name of the event, such as workflow_run")
    .option("--delivery-id <id>", "id of the delivery (default: random)", checkDeliveryId)
    .option("--insecure", "accept any certificate", false);
}

/** Where to send a delivery. */
interface Destination {
  readonly url: string;
  /** Whether the URL is derived from the configuration of a server on this machine. */
  readonly isLocal: boolean;
  readonly handler: SourceHandler;
  /** A target of the source, for values that no option sets. */
  readonly target: Target | undefined;
}

/**
 * Determines the destination from the options, and from the configured source where they say nothing. Throws an
 * {@link AppError} `configuration` if they do not match.
 */
function findDestination(options: SendOptions, terminal: Terminal): Destination {
  const { url, secret } = options;
  const isConfigured = options.config !== undefined || options.source !== undefined;
  if (url !== undefined && secret !== undefined && !isConfigured) {
    const handler = createHandler(options.provider, secret, terminal);
    return { url: checkUrl(url), isLocal: false, handler, target: undefined };
  }
  const { config } = readConfiguration(options.config, terminal);
  const source = findSource(config, options);
  const isMissing = config.generated.some((each) => each.source === source.name && !each.secret.loaded);
  if (secret === undefined && isMissing) {
    throw new AppError(
      "configuration",
      `source ${source.name} has no secret yet: start the server once, or pass --secret`,
    );
  }
  return {
    url: url === undefined ? localUrl(config, source) : checkUrl(url),
    isLocal: url === undefined,
    handler: secret === undefined ? source.handler : replaceSecret(source, secret, terminal),
    target: findTarget(config, source, options),
  };
}

function findSource(config: Config, { source: name, provider }: SendOptions): Source {
  const source = config.sources.find((each) =>
    name === undefined ? each.provider === provider : each.name === name,
  );
  if (source !== undefined) return source;
  const known = config.sources.map((each) => `${each.name} (${each.provider})`).join(", ");
  throw new AppError(
    "configuration",
    `no source ${name ?? `of provider ${provider}`}; the sources are ${known}`,
  );
}

/** The first target of the source and repository, if possible one for branches or tags as the options ask. */
function findTarget(
  { targets }: Config,
  { name }: Source,
  { repository, tag }: SendOptions,
): Target | undefined {
  const requested = repository?.toLowerCase();
  const candidates = targets.filter((target) => {
    const own = target.repository?.fullName.toLowerCase();
    return target.source === name && own !== undefined && own === (requested ?? own);
  });
  const kind = tag === undefined ? "branch" : "tag";
  return candidates.find((target) => target.repository?.ref.kind === kind) ?? candidates[0];
}

/** Only one secret is replaced, so that a source with another method than a verify token needs its own. */
function replaceSecret(
  { name, provider, handler }: Source,
  secret: string,
  terminal: Terminal,
): SourceHandler {
  const replaced = createHandler(provider, secret, terminal);
  if ((replaced.handshake === null) === (handler.handshake === null)) return replaced;
  throw new AppError(
    "configuration",
    `source ${name} has no verify token, which --secret would replace: leave --secret out to use the source's own`,
  );
}

function createHandler(name: string, secret: string, terminal: Terminal): SourceHandler {
  const provider = providers.find((each) => each.name === name);
  if (provider === undefined) throw new AppError("configuration", `no provider ${name}`);
  return provider.createHandlerWithSecret(readSecret(secret, "--secret", terminal));
}

function checkUrl(url: string): string {
  if (URL.canParse(url) && /^https?:/.test(url)) return url;
  throw new AppError(
    "configuration",
    "--url: expected a URL such as https://hooks.example.com/github-webhook",
  );
}

function localUrl({ server, isFound }: Config, { path }: Source): string {
  if (readSocketPath(server.host) !== null) {
    const advice = "pass the URL of the proxy in front of it as --url";
    throw new AppError("configuration", `the server listens on ${server.host}: ${advice}`);
  }
  if (server.port === 0) {
    throw new AppError("configuration", "the server uses any free port: pass the URL in its log as --url");
  }
  const origin = localOrigin(server.protocol, server);
  if (isFound && !isOwnAddress(new URL(origin).hostname)) {
    throw new AppError(
      "configuration",
      `the configuration was only found by search, and its [server] host ${server.host} is not an address of this machine: pass --config to name the file, or --url`,
    );
  }
  return `${origin}${path}`;
}

/** Whether a host is loopback or an address of a network interface. A name could lead anywhere. */
function isOwnAddress(hostname: string): boolean {
  const address = hostname.replace(/^\[|\]$/g, "");
  const own = Object.values(networkInterfaces()).flatMap((entries = []) => entries);
  return isLoopback(hostname) || own.some((entry) => entry.address === address);
}

const NO_COMMIT = "0".repeat(40);
const randomCommit = () => randomBytes(20).toString("hex");

async function composeSample(
  event: string,
  options: SendOptions,
  target: Target | undefined,
  terminal: Terminal,
): Promise<SampleRequest> {
  const { deliveryId = randomUUID(), form, payload, before = randomCommit() } = options;
  if (payload !== undefined) {
    const json = readPayload(resolve(terminal.cwd, payload));
    return { kind: "payload", event: options.event ?? event, deliveryId, form, json };
  }
  if (options.event !== undefined) {
    throw new AppError("configuration", "--event needs --payload: only pings and pushes can be composed");
  }
  const repository = options.repository ?? target?.repository?.fullName ?? "octocat/blog";
  if (event === "ping") return { kind: "ping", deliveryId, form, repository };
  const followed = target?.repository?.ref;
  const branch = options.branch ?? (followed?.kind === "branch" ? followed.name : "main");
  const ref = options.tag === undefined ? `refs/heads/${branch}` : `refs/tags/${options.tag}`;
  const after = options.deleted
    ? NO_COMMIT
    : (options.commit ?? (await findTip(target, repository, ref, terminal)));
  return { kind: "push", deliveryId, form, repository, ref, before, after };
}

/** The tip of the target's branch, because a server waits for a commit that the branch does not contain; else random. */
async function findTip(
  target: Target | undefined,
  repository: string,
  ref: string,
  terminal: Terminal,
): Promise<string> {
  const followed = target?.repository;
  const isFollowed =
    followed?.ref.kind === "branch" &&
    followed.fullName.toLowerCase() === repository.toLowerCase() &&
    ref === `refs/heads/${followed.ref.name}`;
  if (target === undefined || !isFollowed) return randomCommit();
  const tip = await readRemoteTip(target, { run: runProcess, env: terminal.env });
  return tip.kind === "found" ? tip.commit : randomCommit();
}

/** Reads the file of `--payload`. Throws an {@link AppError} `failed`. */
export function readPayload(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new AppError("failed", `--payload: ${file} ${describeReadError(error)}`, error);
  }
}
