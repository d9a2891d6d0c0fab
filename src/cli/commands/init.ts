import { existsSync, lstatSync, mkdirSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { Command } from "commander";
import { readVariable } from "../../config/read/context.ts";
import { describeIssue, IssueList } from "../../config/read/issues.ts";
import { provideSecretFile } from "../../config/secrets.ts";
import { createFileAtomically } from "../../lib/atomic-file.ts";
import { AppError } from "../../lib/errors.ts";
import { readConfiguration } from "../configuration.ts";
import type { Terminal } from "../terminal.ts";

interface InitOptions {
  readonly config?: string;
  readonly repository?: string;
  readonly branch?: string;
  readonly directory?: string;
  readonly url: string;
}

/** `hooklatch init`: writes a configuration and fresh secrets, and says what to paste into GitHub. */
export function init(terminal: Terminal): Command {
  return new Command("init")
    .description("write hooklatch.toml and fresh secrets; say what to paste into GitHub")
    .option(
      "-c, --config <file>",
      "where to write the configuration (default: $HOOKLATCH_CONFIG, else hooklatch.toml)",
    )
    .option("--repository <owner/name>", "the repository to deploy")
    .option("--branch <name>", "the branch to deploy (default: main)")
    .option("--directory <path>", "where to deploy to (default: /srv/<name of the repository>)")
    .option("--url <url>", "where the internet reaches this server", "https://YOUR-SERVER:9000")
    .addHelpText(
      "after",
      "\nThe secrets are kept in $HOOKLATCH_DATA_DIR, else in hooklatch-data beside the file.",
    )
    .action((options: InitOptions) => {
      checkOptions(options);
      const label = options.config ?? readNamed("HOOKLATCH_CONFIG", terminal) ?? "hooklatch.toml";
      const file = resolve(terminal.cwd, label);
      refuseToOverwrite(file);
      const named = readNamed("HOOKLATCH_DATA_DIR", terminal);
      const written = named === undefined ? "hooklatch-data" : resolve(terminal.cwd, named);
      const { repository, branch, directory, url } = options;
      const plan = { repository, branch, directory, url, dataDir: written };
      // What an option or a variable held may be no good, and then nothing should have been made.
      const text = describeConfiguration(plan, "without secrets");
      readConfiguration(undefined, terminal, { draft: { file, label, text } });

      const dataDir = resolve(dirname(file), written);
      for (const path of [file, dataDir]) makeParents(path);
      const secret = provideSecret(secretFile(dataDir, GITHUB_SECRET), terminal);
      provideSecret(secretFile(dataDir, VERIFY_TOKEN), terminal);
      writeNew(file, describeConfiguration(plan, "with secrets"));
      terminal.out(`wrote ${relative(terminal.cwd, file)}\n`);
      const also = options.config === undefined ? "" : ` --config ${options.config}`;
      terminal.out(explainNextSteps(plan, { file: label, also, secret }));
    });
}

function checkOptions({ repository, branch, directory, url }: InitOptions): void {
  if (repository !== undefined && !/^[^/\s]+\/[^/\s]+$/.test(repository)) {
    throw new AppError("configuration", `--repository: expected owner/name, found ${quote(repository)}`);
  }
  for (const [option, value] of Object.entries({ branch, directory })) {
    if (value === undefined || repository !== undefined) continue;
    throw new AppError("configuration", `--${option} needs --repository: without it no target is written`);
  }
  if (!/^https?:\/\/[\w.:[\]-]+\/?$/.test(url)) {
    throw new AppError(
      "configuration",
      `--url: expected one like https://hooks.example.com:9000, found ${quote(url)}`,
    );
  }
}

/** A variable that names a path; undefined when it is not set. Set to nothing it is a fault. */
function readNamed(name: string, terminal: Terminal): string | undefined {
  const issues = new IssueList();
  const value = readVariable(name, { ...terminal, directory: terminal.cwd, issues });
  const [fault] = issues.faults;
  if (fault !== undefined) throw new AppError("configuration", describeIssue(fault));
  return value;
}

/** A symbolic link counts as a file, wherever it leads. */
function refuseToOverwrite(file: string): void {
  const found = attempt(file, () => lstatSync(file, { throwIfNoEntry: false }));
  if (found === undefined) return;
  const what =
    found.isSymbolicLink() && !existsSync(file) ? "a symbolic link that leads nowhere" : "there already";
  throw new AppError(
    "failed",
    `${file} is ${what} and stays as it is; move it away or choose another --config`,
  );
}

/** The service's user has to get there, whoever makes them: only the data directory itself is private. */
function makeParents(path: string): void {
  attempt(path, () => mkdirSync(dirname(path), { recursive: true, mode: 0o755 }));
}

/** Never replaces a file, also none that came in the meantime. */
function writeNew(file: string, text: string): void {
  if (!attempt(file, () => createFileAtomically(file, text, 0o644))) refuseToOverwrite(file);
}

function attempt<T>(file: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new AppError(
      "failed",
      `cannot write ${file}: ${error instanceof Error ? error.message : error}`,
      error,
    );
  }
}

/** Makes a secret file, or keeps the one that is there: a forge may know it already. */
function provideSecret(file: string, terminal: Terminal): string {
  const { value, isNew } = attempt(file, () => provideSecretFile(file));
  const shown = relative(terminal.cwd, file);
  terminal.out(isNew ? `wrote ${shown} (mode 0600)\n` : `kept ${shown}\n`);
  return value;
}

/** The names under which a server keeps the two secrets, had it made them itself. */
export const GITHUB_SECRET = "github.secret";

/** As {@link GITHUB_SECRET}, for the generic source. */
export const VERIFY_TOKEN = "webhook.verify-token";

/** Where a secret is kept. */
export function secretFile(dataDir: string, name: string): string {
  return join(dataDir, "secrets", name);
}

/** What is put together into a configuration. */
export interface Plan {
  readonly repository: string | undefined;
  readonly branch: string | undefined;
  readonly directory: string | undefined;
  readonly url: string;
  /** As it is written: what is relative starts from the file. */
  readonly dataDir: string;
}

/**
 * The configuration file. Without its secrets' places it can be read before there are any: then they are looked for
 * where these places are.
 */
export function describeConfiguration(
  { repository, branch = "main", directory, url, dataDir }: Plan,
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
    `directory = ${quote(directory ?? `/srv/${name}`)}`,
    '# run = ["npm ci", "npm run build"]       # in the new release, before it goes live',
    '# after = ["systemctl reload nginx"]      # once it is live',
  ];
  return `# hooklatch: every key is explained in the README. \`hooklatch check\` tells what is wrong with this file.
data_dir = ${quote(dataDir)}

[server]
# Without HTTPS it listens on this machine alone, for a proxy in front; with it, on all addresses.
port = 9000
${url.includes("YOUR-SERVER") ? "# " : ""}public_url = ${quote(url)}

# HTTPS without a proxy in front: a certificate that is got and renewed by itself (port 80 has to reach this machine),
# [server.acme]
# domains = ["hooks.example.com"]
# terms_agreed = true                        # those of Let's Encrypt
# or files:
# [server.tls]
# cert = "/etc/letsencrypt/live/hooks.example.com/fullchain.pem"
# key = "/etc/letsencrypt/live/hooks.example.com/privkey.pem"

[[source]]
name = "github"
provider = "github"
path = "/github-webhook"
${line(`secrets = [${reference(GITHUB_SECRET)}]`)}
[[source]]
name = "webhook"
provider = "generic"
path = "/webhook"
${line(`verify_token = ${reference(VERIFY_TOKEN)}`)}
${(repository === undefined ? ["# What to deploy: remove the marks and fill in yours.", ...target.map((line) => `# ${line}`)] : target).join("\n")}
`;
}

/** What to do with it: `file` is where it was written, and `also` how the other commands find it there. */
export function explainNextSteps(
  { repository, url }: Plan,
  { file, also, secret }: { readonly file: string; readonly also: string; readonly secret: string },
): string {
  const page =
    repository === undefined
      ? "your repository's"
      : `https://github.com/${repository}/settings/hooks/new, or`;
  const name = url.includes("YOUR-SERVER") ? "YOUR-SERVER is this server's name on the internet. " : "";
  const https = url.startsWith("https:")
    ? `\n${name}For https, fill in [server.acme] or [server.tls] in ${file}, or have a proxy in front.\n`
    : "";
  return `
Paste into GitHub (${page} Settings > Webhooks > Add webhook):
  Payload URL   ${url.replace(/\/$/, "")}/github-webhook
  Content type  application/json
  Secret        ${secret}
  Events        Just the push event
${https}
Then: hooklatch check${also}, and hooklatch serve${also}
`;
}

/** A TOML basic string: JSON's escapes are all TOML's too. */
export function quote(text: string): string {
  return JSON.stringify(text);
}
