import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import type { Config } from "../config/load.ts";
import { readSecret } from "../config/secret.ts";
import { runProcess } from "../deploy/process.ts";
import { askTip } from "../deploy/remote.ts";
import { readSocketPath } from "../domain/address.ts";
import { Fault } from "../domain/fault.ts";
import type { Dialect, Message } from "../domain/provider.ts";
import type { Source } from "../domain/source.ts";
import type { Target } from "../domain/target.ts";
import { providers } from "../providers/index.ts";
import { CONFIG_OPTION, readConfiguration } from "./configuration.ts";
import { localOrigin } from "./local-origin.ts";
import { greet, post } from "./post.ts";
import { makeTextPrintable } from "./printable-text.ts";
import { EXIT, type Finish, type Terminal } from "./terminal.ts";

interface SendOptions {
  readonly config?: string;
  readonly source?: string;
  readonly url?: string;
  readonly secret?: string;
  readonly provider: string;
  readonly form: boolean;
  readonly payload?: string;
  readonly deliveryId?: string;
  readonly insecure: boolean;
  readonly repository?: string;
  readonly branch?: string;
  readonly tag?: string;
  readonly commit?: string;
  readonly before?: string;
  readonly deleted?: boolean;
}

const NO_COMMIT = "0".repeat(40);

/** `hooklatch send ping|push`: signs a delivery as the provider would and sends it to a running server. */
export function send(terminal: Terminal, finish: Finish): Command {
  const ping = new Command("ping").description("what a forge sends when a webhook is made");
  const push = new Command("push")
    .description("what a forge sends when commits arrive")
    .option("--repository <owner/name>", "the repository (default: the first target's)")
    .option("--branch <name>", "the branch (default: the target's, or main)")
    .addOption(new Option("--tag <name>", "a tag instead of a branch").conflicts("branch"))
    .option(
      "--commit <id>",
      "the pushed commit (default: the tip where a target tells it, else made up)",
      readCommit,
    )
    .option("--before <id>", "what it was before (default: made up)", readCommit)
    .option("--deleted", "the branch or tag was deleted");
  const command = new Command("send").description(
    "sign a delivery as the provider would and send it to a running server",
  );
  for (const kind of [ping, push]) {
    addSharedOptions(kind).action(async (options: SendOptions) => {
      const { url, dialect, target, isOurs } = findAddressee(options, terminal);
      const message = await write(kind.name(), options, target, terminal);
      // The certificate names the public host, and on this machine there is nobody in between.
      const insecure = options.insecure || isOurs;
      const greeting = await greet(url, dialect, insecure);
      const isAdmitted = greeting === null || greeting.code === 200;
      const answer = isAdmitted ? await post(url, dialect, message, insecure) : greeting;
      terminal.out(`${answer.code} ${makeTextPrintable(answer.text)}\n`);
      finish(answer.code >= 200 && answer.code < 300 ? EXIT.done : EXIT.failed);
    });
    command.addCommand(kind);
  }
  return command;
}

function addSharedOptions(command: Command): Command {
  const names = providers.map(({ name }) => name);
  return command
    .option(...CONFIG_OPTION)
    .option("--source <name>", "the source to send to (default: the first one of the provider)")
    .option("--url <url>", "where to send it (default: the source's path on this machine)")
    .option("--secret <secret>", "env:NAME, file:PATH or the secret itself (default: the source's)")
    .addOption(new Option("--provider <name>", "whose dialect to speak").choices(names).default("github"))
    .option("--form", "as a form, the default of GitHub's own webhooks", false)
    .option("--payload <file>", "send this file's JSON, byte for byte")
    .option("--delivery-id <id>", "the delivery's id (default: a fresh one)")
    .option("--insecure", "do not verify the server's certificate", false);
}

interface Addressee {
  readonly url: string;
  /** Whether the address was not given but is this machine's own. */
  readonly isOurs: boolean;
  readonly dialect: Dialect;
  /** The first target that listens to the source, for what the options leave out. */
  readonly target: Target | undefined;
}

/** Whom to send to: options first, the configuration's source for what they leave out. */
function findAddressee(options: SendOptions, terminal: Terminal): Addressee {
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
    throw new Fault(
      "configuration",
      `source ${source.name} has no secret yet: start the server once, or pass --secret`,
    );
  }
  return {
    url: options.url === undefined ? guessUrl(config, source) : checkUrl(options.url),
    isOurs: options.url === undefined,
    dialect: options.secret === undefined ? source.dialect : openDialect(options, options.secret, terminal),
    target: config.targets.find((target) => target.source === source.name && target.watch !== null),
  };
}

function findSource(config: Config, { source: name, provider }: SendOptions): Source {
  const source = config.sources.find((one) =>
    name === undefined ? one.provider === provider : one.name === name,
  );
  if (source !== undefined) return source;
  const known = config.sources.map((one) => `${one.name} (${one.provider})`).join(", ");
  throw new Fault("configuration", `no source ${name ?? `of provider ${provider}`}; there are ${known}`);
}

function openDialect({ provider: name }: SendOptions, secretText: string, terminal: Terminal): Dialect {
  const provider = providers.find((one) => one.name === name);
  if (provider === undefined) throw new Fault("configuration", `no provider ${name}`);
  return provider.openWith(readSecret(secretText, "--secret", terminal));
}

function checkUrl(url: string): string {
  if (URL.canParse(url) && /^https?:/.test(url)) return url;
  throw new Fault("configuration", `--url: expected a URL such as https://hooks.example.com/github-webhook`);
}

/** The source on this machine. */
function guessUrl({ server }: Config, { path }: Source): string {
  if (readSocketPath(server.host) !== null)
    throw new Fault(
      "configuration",
      `the server listens on ${server.host}: pass --url of the proxy before it`,
    );
  if (server.port === 0)
    throw new Fault("configuration", "the server picks a free port: pass --url as its log tells it");
  return `${localOrigin(server.protocol, server)}${path}`;
}

async function write(
  event: string,
  options: SendOptions,
  target: Target | undefined,
  terminal: Terminal,
): Promise<Message> {
  const { deliveryId = randomUUID(), form } = options;
  if (options.payload !== undefined) {
    return {
      kind: "payload",
      event,
      deliveryId,
      form,
      json: readPayload(resolve(terminal.cwd, options.payload)),
    };
  }
  if (event === "ping") return { kind: "ping", deliveryId, form };
  const repository = options.repository ?? target?.watch?.repository ?? "octocat/blog";
  const watched = target?.watch?.ref;
  const branch = options.branch ?? (watched?.kind === "branch" ? watched.name : "main");
  const ref = options.tag === undefined ? `refs/heads/${branch}` : `refs/tags/${options.tag}`;
  const after = options.deleted
    ? NO_COMMIT
    : (options.commit ?? (await findTip(target, repository, ref, terminal)));
  return { kind: "push", deliveryId, form, repository, ref, before: options.before ?? makeUpCommit(), after };
}

/** The tip that the target would deploy, so that the server need not wait for a commit that does not exist. */
async function findTip(
  target: Target | undefined,
  repository: string,
  ref: string,
  terminal: Terminal,
): Promise<string> {
  const watch = target?.watch;
  const isWatched =
    watch?.ref.kind === "branch" &&
    watch.repository.toLowerCase() === repository.toLowerCase() &&
    ref === `refs/heads/${watch.ref.name}`;
  if (target === undefined || !isWatched) return makeUpCommit();
  const tip = await askTip(target, { run: runProcess, env: terminal.env });
  return tip.kind === "found" ? tip.commit : makeUpCommit();
}

function readCommit(text: string): string {
  if (/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text)) return text;
  throw new InvalidArgumentError("Expected a full commit id: 40 or 64 lower-case hex digits.");
}

function makeUpCommit(): string {
  return randomBytes(20).toString("hex");
}

function readPayload(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new Fault("failed", `cannot read the payload ${file}`, error);
  }
}
