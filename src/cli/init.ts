import { existsSync, linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { Command } from "commander";
import { createSecretFile } from "../config/generate.ts";
import { Fault } from "../domain/fault.ts";
import { readConfiguration } from "./configuration.ts";
import type { Terminal } from "./terminal.ts";

interface InitOptions {
  readonly config: string;
  readonly repository?: string;
  readonly branch: string;
  readonly directory?: string;
  readonly url: string;
}

/** `hooklatch init`: writes a configuration and fresh secrets, and says what to paste into GitHub. */
export function init(terminal: Terminal): Command {
  return new Command("init")
    .description("write hooklatch.toml and fresh secrets; say what to paste into GitHub")
    .option("-c, --config <file>", "where to write the configuration", "hooklatch.toml")
    .option("--repository <owner/name>", "the repository to deploy")
    .option("--branch <name>", "the branch to deploy", "main")
    .option("--directory <path>", "where to deploy to (default: /srv/<name of the repository>)")
    .option("--url <url>", "where the internet reaches this server", "https://YOUR-SERVER:9000")
    .action((options: InitOptions) => {
      checkOptions(options);
      const file = resolve(terminal.cwd, options.config);
      if (existsSync(file)) {
        throw new Fault(
          "failed",
          `${file} is there already and stays as it is; move it away or choose another --config`,
        );
      }
      const secrets = join(dirname(file), "hooklatch-data", "secrets");
      const secret = provideSecret(join(secrets, "github.secret"), terminal);
      provideSecret(join(secrets, "webhook.verify-token"), terminal);
      writeChecked(file, describeConfiguration(options), terminal);
      terminal.out(`wrote ${relative(terminal.cwd, file)}\n${explainNextSteps(options, secret)}`);
    });
}

function checkOptions({ repository, url }: InitOptions): void {
  if (repository !== undefined && !/^[^/\s]+\/[^/\s]+$/.test(repository)) {
    throw new Fault("configuration", `--repository: expected owner/name, found ${quote(repository)}`);
  }
  if (!/^https?:\/\/[\w.:[\]-]+\/?$/.test(url)) {
    throw new Fault(
      "configuration",
      `--url: expected one like https://hooks.example.com:9000, found ${quote(url)}`,
    );
  }
}

/** Writes a configuration only when it can be read back without a fault: what an option held may be no good. */
function writeChecked(file: string, text: string, terminal: Terminal): void {
  const draft = `${file}.new`;
  attempt(file, () => writeFileSync(draft, text, { flag: "wx" }));
  try {
    readConfiguration(draft, terminal);
    // Unlike a rename this never replaces a file that came in the meantime.
    linkSync(draft, file);
  } finally {
    rmSync(draft, { force: true });
  }
}

function attempt<T>(file: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new Fault(
      "failed",
      `cannot write ${file}: ${error instanceof Error ? error.message : error}`,
      error,
    );
  }
}

/** Makes a secret file, or keeps the one that is there: a forge may know it already. */
function provideSecret(file: string, terminal: Terminal): string {
  if (existsSync(file)) {
    terminal.out(`kept ${relative(terminal.cwd, file)}\n`);
    return readFileSync(file, "utf8").trim();
  }
  const secret = attempt(file, () => createSecretFile(file));
  terminal.out(`wrote ${relative(terminal.cwd, file)} (mode 0600)\n`);
  return secret;
}

function describeConfiguration({ repository, branch, directory, url }: InitOptions): string {
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
data_dir = "hooklatch-data"

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
secrets = ["file:hooklatch-data/secrets/github.secret"]

[[source]]
name = "webhook"
provider = "generic"
path = "/webhook"
verify_token = "file:hooklatch-data/secrets/webhook.verify-token"

${(repository === undefined ? ["# What to deploy: remove the marks and fill in yours.", ...target.map((line) => `# ${line}`)] : target).join("\n")}
`;
}

function explainNextSteps({ repository, url, config }: InitOptions, secret: string): string {
  const page =
    repository === undefined
      ? "your repository's"
      : `https://github.com/${repository}/settings/hooks/new, or`;
  const also = config === "hooklatch.toml" ? "" : ` --config ${config}`;
  const name = url.includes("YOUR-SERVER") ? "YOUR-SERVER is this server's name on the internet. " : "";
  const https = url.startsWith("https:")
    ? `\n${name}For https, fill in [server.acme] or [server.tls] in ${config}, or have a proxy in front.\n`
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
function quote(text: string): string {
  return JSON.stringify(text);
}
