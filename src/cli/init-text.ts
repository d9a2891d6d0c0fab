import { join } from "node:path";

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
