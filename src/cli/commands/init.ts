import { existsSync, lstatSync, mkdirSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { Command } from "commander";
import { readVariable } from "../../config/read/context.ts";
import { describeIssue, IssueList } from "../../config/read/issues.ts";
import { provideSecretFile } from "../../config/secrets.ts";
import { createFileAtomically } from "../../lib/atomic-file.ts";
import { AppError, errorMessage } from "../../lib/errors.ts";
import { readConfiguration } from "../configuration.ts";
import { withExamples } from "../options.ts";
import type { Terminal } from "../terminal.ts";

interface InitOptions {
  readonly config?: string;
  readonly repository?: string;
  readonly branch?: string;
  readonly directory?: string;
  readonly url: string;
  readonly generic?: boolean;
}

/** The options with the repository as its name and, if the provider does not know it, its clone URL. */
interface Settings extends InitOptions {
  readonly cloneUrl?: string | undefined;
}

/** `hooklatch init`: writes a configuration and secrets, and prints the settings of GitHub's webhook. */
export function init(terminal: Terminal): Command {
  const command = new Command("init")
    .description("write hooklatch.toml and fresh secrets; print what to paste into GitHub")
    .option("-c, --config <file>", "file to write (default: $HOOKLATCH_CONFIG, else hooklatch.toml)")
    .option("--repository <owner/name>", "repository to deploy, or its clone URL")
    .option("--branch <name>", "branch to deploy (default: main)")
    .option("--directory <path>", "directory to deploy to (default: /srv/<name of the repository>)")
    .option("--generic", "add a source at /webhook for senders other than GitHub")
    .option("--url <url>", "public URL of this server", "https://YOUR-SERVER:9000")
    .addHelpText(
      "after",
      "\nThe secrets are stored in $HOOKLATCH_DATA_DIR, else in hooklatch-data next to\nthe file.",
    )
    .action((given: InitOptions) => {
      const options = checkOptions(given);
      const label = options.config ?? readPath("HOOKLATCH_CONFIG", terminal) ?? "hooklatch.toml";
      const file = resolve(terminal.cwd, label);
      rejectExisting(file);
      const named = readPath("HOOKLATCH_DATA_DIR", terminal);
      const dataDir = named === undefined ? "hooklatch-data" : resolve(terminal.cwd, named);
      const draft = { file, label, text: writeConfiguration(options, dataDir, "without secrets") };
      // Nothing may be created if a value of an option or a variable is invalid.
      readConfiguration(undefined, terminal, { draft });

      const directory = resolve(dirname(file), dataDir);
      for (const path of [file, directory]) createParent(path);
      const secret = provideSecret(secretFile(directory, GITHUB_SECRET), terminal);
      if (options.generic) provideSecret(secretFile(directory, VERIFY_TOKEN), terminal);
      const text = writeConfiguration(options, dataDir, "with secrets");
      // Another process may have created the file in the meantime.
      if (!attempt(file, () => createFileAtomically(file, text, 0o644))) rejectExisting(file);
      terminal.out(`wrote ${relative(terminal.cwd, file)}\n`);
      const configOption = options.config === undefined ? "" : ` --config ${options.config}`;
      terminal.out(explainNextSteps(options, label, configOption, secret));
    });
  return withExamples(
    command,
    "hooklatch init",
    "hooklatch init --repository octocat/blog --url https://hooks.example.com",
  );
}

function checkOptions(options: InitOptions): Settings {
  const { repository, branch, directory, url } = options;
  const parsed = repository === undefined ? {} : parseRepository(repository);
  if (parsed === null) {
    throw new AppError(
      "configuration",
      `--repository: expected owner/name or a URL such as https://github.com/octocat/blog.git`,
    );
  }
  for (const [option, value] of Object.entries({ branch, directory })) {
    if (value === undefined || repository !== undefined) continue;
    throw new AppError("configuration", `--${option} needs --repository: without it no target is written`);
  }
  if (!/^https?:\/\/[\w.:[\]-]+\/?$/.test(url)) {
    const expected = "a URL without a path, such as https://hooks.example.com:9000";
    throw new AppError("configuration", `--url: expected ${expected}, found ${quote(url)}`);
  }
  return { ...options, ...parsed };
}

/**
 * Reads `owner/name`, or a URL whose path ends with it. The clone URL of a public repository of GitHub is its default and
 * not written. Null for other text, which messages must not repeat: a URL may hold a token.
 */
function parseRepository(text: string): Pick<Settings, "repository" | "cloneUrl"> | null {
  if (/^[^/\s:]+\/[^/\s:]+$/.test(text)) return { repository: text };
  const url =
    /^(?:(?:https?|ssh):\/\/[^/\s]+\/|[\w.-]+@[\w.-]+:\/?)([^/\s:?#]+\/[^/\s:?#]+?)(?:\.git)?\/?$/.exec(text);
  const repository = url?.[1];
  if (repository === undefined || /^https?:\/\/[^/]*@/.test(text)) return null;
  const isDefault = /^https:\/\/(?:www\.)?github\.com\//i.test(text);
  return isDefault ? { repository } : { repository, cloneUrl: text };
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
function provideSecret(file: string, terminal: Terminal): string {
  const { value, isNew } = attempt(file, () => provideSecretFile(file));
  const shown = relative(terminal.cwd, file);
  terminal.out(isNew ? `wrote ${shown} (mode 0600)\n` : `kept ${shown}\n`);
  return value;
}

/** The server gives its generated secrets the same names. */
const GITHUB_SECRET = "github.secret";
const VERIFY_TOKEN = "webhook.verify-token";

function secretFile(dataDir: string, name: string): string {
  return join(dataDir, "secrets", name);
}

/**
 * The text of the configuration file. Without references to the secrets it can be checked before they exist.
 *
 * @param dataDir as written: a relative path starts at the file.
 */
function writeConfiguration(
  { repository, cloneUrl, branch = "main", directory, url, generic = false }: Settings,
  dataDir: string,
  secrets: "with secrets" | "without secrets",
): string {
  const reference = (name: string) => quote(`file:${secretFile(dataDir, name)}`);
  const line = (text: string) => (secrets === "with secrets" ? `${text}\n` : "");
  const name = repository?.split("/")[1] ?? "blog";
  const target = [
    "[[target]]",
    `name = ${quote(name)}`,
    'source = "github"',
    `repository = ${quote(repository ?? "octocat/blog")}`,
    `branch = ${quote(branch)}`,
    ...(cloneUrl === undefined ? [] : [`clone_url = ${quote(cloneUrl)}`]),
    `directory = ${quote(directory ?? `/srv/${name}`)}`,
    '# run = ["npm ci", "npm run build"]       # in the new release, before it goes live',
    `# after = ["systemctl restart ${name}.service"]   # once it is live; needs a polkit rule, see docs/recipes.md`,
  ];
  const source = '[[source]]\nname = "webhook"\nprovider = "generic"\npath = "/webhook"\n';
  const example = ["# What to deploy: uncomment and edit.", ...target.map((text) => `# ${text}`)];
  return `# Configuration of hooklatch. Check it with \`hooklatch check\`.
data_dir = ${quote(dataDir)}

[server]
# The default host is 127.0.0.1 on plain HTTP, for a proxy on this machine, and 0.0.0.0 with TLS.
port = 9000
${url.includes("YOUR-SERVER") ? "# " : ""}public_url = ${quote(url)}

# HTTPS without a proxy: an automatic certificate (the CA must reach port 80 of this machine),
# [server.acme]
# domains = ["hooks.example.com"]
# terms_agreed = true                        # of Let's Encrypt
# or a certificate from files:
# [server.tls]
# cert = "/etc/letsencrypt/live/hooks.example.com/fullchain.pem"
# key = "/etc/letsencrypt/live/hooks.example.com/privkey.pem"

[[source]]
name = "github"
provider = "github"
path = "/github-webhook"
${line(`secrets = [${reference(GITHUB_SECRET)}]`)}
${generic ? `${source}${line(`verify_token = ${reference(VERIFY_TOKEN)}`)}\n` : ""}${(repository === undefined ? example : target).join("\n")}
`;
}

/** The settings of the webhook, and the next commands. */
function explainNextSteps(
  { repository, url }: InitOptions,
  file: string,
  configOption: string,
  secret: string,
): string {
  const page =
    repository === undefined
      ? "your repository's"
      : `https://github.com/${repository}/settings/hooks/new, or`;
  const placeholder = url.includes("YOUR-SERVER")
    ? "Replace YOUR-SERVER with the public name of this server. "
    : "";
  const https = url.startsWith("https:")
    ? `\n${placeholder}For HTTPS, set [server.acme] or [server.tls] in ${file}, or use a proxy.\n`
    : "";
  return `
Paste into GitHub (${page} Settings > Webhooks > Add webhook):
  Payload URL   ${url.replace(/\/$/, "")}/github-webhook
  Content type  application/json
  Secret        ${secret}
  Events        Just the push event
${https}
Then run: hooklatch check${configOption}
     and: hooklatch serve${configOption}
`;
}

/** A TOML basic string, which has all escapes of JSON. */
function quote(text: string): string {
  return JSON.stringify(text);
}
