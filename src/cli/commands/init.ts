import { existsSync, lstatSync, mkdirSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { Command, Option } from "commander";
import { readVariable } from "../../config/read/context.ts";
import { describeIssue, IssueList } from "../../config/read/issues.ts";
import { makePrivateDirectory, provideSecretFile } from "../../config/secrets.ts";
import type { Provider } from "../../domain/provider.ts";
import { createFileAtomically } from "../../lib/atomic-file.ts";
import { AppError, errorMessage } from "../../lib/errors.ts";
import { generic } from "../../providers/generic/index.ts";
import { providers } from "../../providers/index.ts";
import { readConfiguration } from "../configuration.ts";
import { withExamples } from "../options.ts";
import {
  explainNextSteps,
  type FirstConfiguration,
  hasIssuedSecret,
  secretFiles,
  writeFirstConfiguration,
} from "../output/first-configuration.ts";
import { type Host, thisHost } from "../system/host.ts";
import { initSystem } from "../system/index.ts";
import { DEFAULT_SITES } from "../system/unit.ts";
import type { Finish, Terminal } from "../terminal.ts";

interface InitOptions {
  readonly config?: string;
  readonly provider: string;
  readonly baseUrl?: string;
  readonly repository?: string;
  readonly branch?: string;
  readonly directory?: string;
  readonly url: string;
  readonly domain?: string;
  readonly email?: string;
  readonly agreeTerms?: boolean;
  readonly generic?: boolean;
  readonly system?: boolean;
  readonly sites?: string;
  readonly restart?: readonly string[];
  readonly dryRun?: boolean;
}

/**
 * `hooklatch init`: writes a configuration and secrets, and prints what to enter at the sender.
 *
 * @param host the machine that `--system` sets up.
 */
export function init(terminal: Terminal, _finish: Finish, host: Host = thisHost): Command {
  const names = providers.filter(({ webhookForm }) => webhookForm !== null).map(({ name }) => name);
  const command = new Command("init")
    .description("write hooklatch.toml and fresh secrets; print what to paste into the forge")
    .option("-c, --config <file>", "file to write (default: $HOOKLATCH_CONFIG, else hooklatch.toml)")
    .addOption(new Option("--provider <name>", "sender of the webhooks").choices(names).default(names[0]))
    .option("--base-url <url>", "URL of a self-hosted forge, such as https://git.example.com")
    .option("--repository <owner/name>", "repository to deploy, or its clone URL")
    .option("--branch <name>", "branch to deploy (default: main)")
    .option(
      "--directory <path>",
      "directory to deploy to (default: /srv/<name of the repository>, with --system below --sites)",
    )
    .option("--generic", "add a source at /webhook for any other sender")
    .option("--url <url>", "public URL of this server", "https://YOUR-SERVER:9000")
    .addOption(
      new Option(
        "--domain <name>",
        "public name of this server: HTTPS on port 443 with an automatic certificate",
      ).conflicts("url"),
    )
    .option("--email <address>", "address to which the CA of the certificate may write")
    .option("--agree-terms", "agree to the terms of Let's Encrypt, for --domain")
    .option("--system", "set up a service of this machine, as root; see below")
    .option("--sites <path>", `directory of the sites, for --system (default: ${DEFAULT_SITES})`)
    .option(
      "--restart <service>",
      "service that deployments may restart or reload, for --system; repeatable",
      (service: string, others: readonly string[] = []) => [...others, service],
    )
    .option("--dry-run", "print what --system would do, and change nothing")
    .addHelpText("after", EXPLANATION)
    .action(async (options: InitOptions) => {
      const first = toFirstConfiguration(options);
      if (options.system === true) {
        const { sites = DEFAULT_SITES, restart = [], dryRun = false } = options;
        return initSystem(first, { sites, restart, dryRun }, terminal, host);
      }
      const { provider } = first;
      const label = options.config ?? readPath("HOOKLATCH_CONFIG", terminal) ?? "hooklatch.toml";
      const file = resolve(terminal.cwd, label);
      rejectExisting(file);
      const named = readPath("HOOKLATCH_DATA_DIR", terminal);
      const dataDir = named === undefined ? "hooklatch-data" : resolve(terminal.cwd, named);
      const directories = { data: dataDir, secrets: join(dataDir, "secrets") };
      const draft = { file, label, text: writeFirstConfiguration(first, directories, "without secrets") };
      // Nothing may be created if a value of an option or a variable is invalid.
      readConfiguration(undefined, terminal, { draft });

      const directory = resolve(dirname(file), dataDir);
      for (const path of [file, directory]) createParent(path);
      const files = secretFiles(provider, join(directory, "secrets"));
      const secret = hasIssuedSecret(first) ? null : provideSecret(files.sender, provider, terminal);
      if (secret === null) attempt(directory, () => makePrivateDirectory(dirname(files.sender)));
      const verifyToken = first.hasGenericSource ? provideSecret(files.webhook, generic, terminal) : null;
      const text = writeFirstConfiguration(first, directories, "with secrets");
      // Another process may have created the file in the meantime.
      if (!attempt(file, () => createFileAtomically(file, text, 0o644))) rejectExisting(file);
      terminal.out(`wrote ${relative(terminal.cwd, file)}\n`);
      const configOption = options.config === undefined ? "" : ` --config ${options.config}`;
      const secrets = { secretFile: files.sender, secret, verifyToken };
      const commands = ["check", "serve"].map((name) => `hooklatch ${name}${configOption}`);
      terminal.out(explainNextSteps(first, { file: label, commands, ...secrets }));
    });
  return withExamples(
    command,
    "hooklatch init",
    "hooklatch init --repository octocat/blog --url https://hooks.example.com",
    "sudo hooklatch init --system --repository octocat/blog --domain hooks.example.com --agree-terms",
    "sudo hooklatch init --system --repository octocat/shop --restart shop.service --dry-run",
  );
}

const EXPLANATION = `
The secrets are stored in $HOOKLATCH_DATA_DIR, else in hooklatch-data next to
the file.

With --system, it adds the user hooklatch, /etc/hooklatch with the configuration
and the secrets, /var/lib/hooklatch, the directory of the sites, the systemd unit,
a copy of this program in /usr/local/bin, and a polkit rule for each --restart.
What exists, also from the Debian package, is kept, and what differs is reported:
it can be repeated.`;

function toFirstConfiguration(options: InitOptions): FirstConfiguration {
  const { provider: name, baseUrl, branch, directory, domain, email } = options;
  const { generic: hasGenericSource = false, system: trustsProxy = false } = options;
  const provider = providers.find((each) => each.name === name);
  if (provider === undefined) throw new AppError("configuration", `no provider ${name}`);
  checkOptions(options, provider);
  checkSystemOptions(options);
  const { repository, cloneUrl } = readRepository(options, provider);
  const url = domain === undefined ? options.url : `https://${domain}`;
  const acme = domain === undefined ? null : { domain, email };
  return {
    provider,
    baseUrl,
    repository,
    cloneUrl,
    branch,
    directory,
    url,
    hasGenericSource,
    trustsProxy,
    acme,
  };
}

function checkOptions(
  { repository, branch, directory, url, baseUrl }: InitOptions,
  provider: Provider,
): void {
  if (repository !== undefined && !provider.reportsPushes) {
    throw new AppError("configuration", `--repository: deliveries of ${provider.name} name no repository`);
  }
  if (baseUrl !== undefined && provider.options.properties.base_url === undefined) {
    throw new AppError("configuration", `--base-url: provider ${provider.name} has one host only`);
  }
  for (const [option, value] of Object.entries({ branch, directory })) {
    if (value === undefined || repository !== undefined) continue;
    throw new AppError("configuration", `--${option} needs --repository: without it no target is written`);
  }
  if (!/^https?:\/\/[\w.:[\]-]+\/?$/.test(url)) {
    const expected = "a URL without a path, such as https://hooks.example.com:9000";
    throw new AppError("configuration", `--url: expected ${expected}, found ${quote(url)}`);
  }
}

function checkSystemOptions({ domain, email, agreeTerms, system, config, ...options }: InitOptions): void {
  const fail = (message: string) => {
    throw new AppError("configuration", message);
  };
  if (domain === undefined) {
    for (const [option, value] of Object.entries({ email, "agree-terms": agreeTerms })) {
      if (value !== undefined) fail(`--${option} needs --domain: it is about the automatic certificate`);
    }
  } else if (agreeTerms !== true) {
    fail("--domain needs --agree-terms: you agree to the terms of https://letsencrypt.org/repository/");
  }
  if (system === true) {
    if (config !== undefined) fail("--config: --system writes /etc/hooklatch/hooklatch.toml");
    return;
  }
  const { sites, restart, dryRun } = options;
  for (const [option, value] of Object.entries({ sites, restart, "dry-run": dryRun })) {
    if (value !== undefined) fail(`--${option} needs --system`);
  }
}

/**
 * Reads `owner/name`, or a URL whose path ends with it. The clone URL that the provider knows is not returned. A message
 * must not repeat other text: a URL may hold a token.
 */
function readRepository(
  { repository: text, baseUrl }: InitOptions,
  provider: Provider,
): Pick<FirstConfiguration, "repository" | "cloneUrl"> {
  const settings = baseUrl === undefined ? {} : { base_url: baseUrl };
  if (text === undefined) return { repository: undefined, cloneUrl: undefined };
  if (/^[^/\s:]+(?:\/[^/\s:]+)+$/.test(text)) {
    if (provider.cloneUrl(text, settings) !== null) return { repository: text, cloneUrl: undefined };
    const remedy = "add --base-url, or pass the URL to clone from as --repository";
    throw new AppError(
      "configuration",
      `--repository: provider ${provider.name} has no default host: ${remedy}`,
    );
  }
  const url =
    /^(?:(?:https?|ssh):\/\/[^/\s]+\/|[\w.-]+@[\w.-]+:\/?)((?:[^/\s:?#]+\/)+[^/\s:?#]+?)(?:\.git)?\/?$/.exec(
      text,
    );
  const repository = url?.[1];
  if (repository === undefined || /^https?:\/\/[^/]*@/.test(text)) {
    const expected = "owner/name or a URL such as https://github.com/octocat/blog.git";
    throw new AppError("configuration", `--repository: expected ${expected}`);
  }
  const known = provider.cloneUrl(repository, settings);
  return { repository, cloneUrl: isSameUrl(text, known) ? undefined : text };
}

function isSameUrl(a: string, b: string | null): boolean {
  const normalise = (url: string) =>
    url
      .toLowerCase()
      .replace(/^(https:\/\/)www\./, "$1")
      .replace(/\/?$/, "")
      .replace(/\.git$/, "");
  return b !== null && normalise(a) === normalise(b);
}

/** The path in an environment variable; undefined if it is not set. An empty one is an error. */
function readPath(name: string, terminal: Terminal): string | undefined {
  const issues = new IssueList();
  const value = readVariable(name, { ...terminal, directory: terminal.cwd, issues });
  const [fault] = issues.faults;
  if (fault !== undefined) throw new AppError("configuration", describeIssue(fault));
  return value;
}

/** A dangling symbolic link counts as a file. */
function rejectExisting(file: string): void {
  const found = attempt(file, () => lstatSync(file, { throwIfNoEntry: false }));
  if (found === undefined) return;
  const state =
    found.isSymbolicLink() && !existsSync(file) ? "is a dangling symbolic link" : "already exists";
  throw new AppError("failed", `${file} ${state}: move it away, or choose another file with --config`);
}

/** The service's user must be able to traverse these directories. Only the data directory is private. */
function createParent(path: string): void {
  attempt(path, () => mkdirSync(dirname(path), { recursive: true, mode: 0o755 }));
}

function attempt<Result>(file: string, act: () => Result): Result {
  try {
    return act();
  } catch (error) {
    throw new AppError("failed", `cannot write ${file}: ${errorMessage(error)}`, error);
  }
}

/** Creates a secret file, or keeps an existing one, which a sender may already use. */
function provideSecret(file: string, { formatSecret }: Provider, terminal: Terminal): string {
  const { value, isNew } = attempt(file, () => provideSecretFile(file, formatSecret));
  const shown = relative(terminal.cwd, file);
  terminal.out(isNew ? `wrote ${shown} (mode 0600)\n` : `kept ${shown}\n`);
  return value;
}

/** A JSON string, for messages. */
function quote(text: string): string {
  return JSON.stringify(text);
}
