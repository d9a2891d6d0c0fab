import { join } from "node:path";
import { generatedSecretFile, isListOption } from "../../config/source-options.ts";
import type { Provider } from "../../domain/provider.ts";
import { generic } from "../../providers/generic/index.ts";

/** The contents of the configuration that `init` writes. */
export interface FirstConfiguration {
  /** The sender's provider. */
  readonly provider: Provider;
  /** The URL of a self-hosted forge. */
  readonly baseUrl: string | undefined;
  readonly repository: string | undefined;
  /** Undefined where the provider knows it. */
  readonly cloneUrl: string | undefined;
  readonly branch: string | undefined;
  readonly directory: string | undefined;
  /** The public URL of the server. */
  readonly url: string;
  /** Whether a source for any other sender is added. */
  readonly hasGenericSource: boolean;
  /** Whether a proxy of this machine is trusted if the URL has the default port, which is then that of the proxy. */
  readonly trustsProxy: boolean;
  /** An automatic certificate; null without one. */
  readonly acme: { readonly domain: string; readonly email: string | undefined } | null;
}

/** Directories as the configuration names them: a relative path starts at the file. */
export interface FirstDirectories {
  readonly data: string;
  readonly secrets: string;
}

/** The source for any other sender. */
const WEBHOOK = "webhook";

/** Whether the sender issues the secret, so that none is generated. */
export function hasIssuedSecret({ provider, baseUrl }: FirstConfiguration): boolean {
  return !provider.needsGeneratedSecret(baseUrl === undefined ? {} : { base_url: baseUrl });
}

/** The files with the secrets of the sender's source and of the source for any other sender. */
export function secretFiles(provider: Provider, directory: string) {
  return {
    sender: join(directory, generatedSecretFile(provider, provider.name)),
    webhook: join(directory, generatedSecretFile(generic, WEBHOOK)),
  };
}

/** The text of the configuration file. Without references to the secrets it can be checked before they exist. */
export function writeFirstConfiguration(
  first: FirstConfiguration,
  directories: FirstDirectories,
  secrets: "with secrets" | "without secrets",
): string {
  const { provider, baseUrl, hasGenericSource } = first;
  const files = secretFiles(provider, directories.secrets);
  const withSecrets = secrets === "with secrets";
  return `#:schema ./hooklatch.schema.json
# Configuration of hooklatch. Check it with \`hooklatch check\`. For an editor that completes it, run
# \`hooklatch schema > hooklatch.schema.json\` in this directory.
data_dir = ${quote(directories.data)}

${writeServer(first)}
[[source]]
name = ${quote(provider.name)}
provider = ${quote(provider.name)}
path = ${quote(pathOf(provider))}
${baseUrl === undefined ? "" : `base_url = ${quote(baseUrl)}\n`}${writeSenderSecret(first, withSecrets ? `file:${files.sender}` : null)}
${hasGenericSource ? writeGenericSource(withSecrets ? `file:${files.webhook}` : null) : ""}${writeTarget(first)}
`;
}

function writeServer({ url, acme, trustsProxy }: FirstConfiguration): string {
  const publicUrl = `${url.includes("YOUR-SERVER") ? "# " : ""}public_url = ${quote(url)}\n`;
  if (acme !== null) {
    return `[server]
port = 443
${publicUrl}
# An automatic certificate: the CA must reach port 80 of this machine.
[server.acme]
domains = [${quote(acme.domain)}]
${acme.email === undefined ? '# email = "ops@example.com"                # the CA may write there\n' : `email = ${quote(acme.email)}\n`}terms_agreed = true                          # of Let's Encrypt
`;
  }
  return `[server]
# The default host is 127.0.0.1 on plain HTTP, for a proxy on this machine, and 0.0.0.0 with TLS.
port = 9000
${publicUrl}${trustsProxy && isBehindProxy(url) ? 'trusted_proxies = ["127.0.0.1"]             # the proxy that has the certificate; its X-Forwarded-For counts\n' : ""}
# HTTPS without a proxy: an automatic certificate (the CA must reach port 80 of this machine),
# [server.acme]
# domains = ["hooks.example.com"]
# terms_agreed = true                        # of Let's Encrypt
# or a certificate from files:
# [server.tls]
# cert = "/etc/letsencrypt/live/hooks.example.com/fullchain.pem"
# key = "/etc/letsencrypt/live/hooks.example.com/privkey.pem"
`;
}

/** Whether senders reach the default port of HTTPS, which is not that of hooklatch. */
function isBehindProxy(url: string): boolean {
  return url.startsWith("https:") && new URL(url).port === "";
}

function writeGenericSource(reference: string | null): string {
  const token = reference === null ? "" : `verify_token = ${quote(reference)}\n`;
  return `[[source]]\nname = "${WEBHOOK}"\nprovider = "generic"\npath = "/webhook"\n${token}\n`;
}

/** A secret that the sender issues cannot be left out, so that a draft gets any. */
function writeSenderSecret(first: FirstConfiguration, reference: string | null): string {
  const { provider } = first;
  if (reference === null && !hasIssuedSecret(first)) return "";
  const value = quote(reference ?? "x".repeat(32));
  const key = provider.generatedSecret;
  return `${key} = ${isListOption(provider, key) ? `[${value}]` : value}\n`;
}

/** The name of the first target. */
export function targetName({ repository, provider }: FirstConfiguration): string {
  return repository?.split("/").at(-1) ?? (provider.reportsPushes ? "blog" : "job");
}

function writeTarget(first: FirstConfiguration): string {
  const { provider, repository, branch = "main", directory } = first;
  const cloneUrl = first.cloneUrl ?? (repository === undefined ? exampleCloneUrl(first) : undefined);
  const name = targetName(first);
  const target = [
    "[[target]]",
    `name = ${quote(name)}`,
    `source = ${quote(provider.name)}`,
    ...(provider.reportsPushes
      ? [`repository = ${quote(repository ?? "octocat/blog")}`, `branch = ${quote(branch)}`]
      : []),
    ...(cloneUrl === undefined ? [] : [`clone_url = ${quote(cloneUrl)}`]),
    `directory = ${quote(directory ?? `/srv/${name}`)}`,
    ...(provider.reportsCi?.(first.baseUrl === undefined ? {} : { base_url: first.baseUrl })
      ? [
          "# wait_for_ci = true                     # deploy once CI succeeded; see docs/deployments.md, Wait for CI",
        ]
      : []),
    ...(provider.reportsPushes
      ? [
          '# run = ["npm ci", "npm run build"]       # in the new release, before it goes live',
          `# after = ["systemctl restart ${name}.service"]   # once it is live; see docs/recipes.md for the permission`,
        ]
      : ['run = ["cat $HOOKLATCH_PAYLOAD_FILE"]']),
  ];
  if (repository !== undefined) return target.join("\n");
  return ["# What to deploy: uncomment and edit.", ...target.map((text) => `# ${text}`)].join("\n");
}

/** For a commented target; undefined where the provider knows the URL. */
function exampleCloneUrl({ provider, baseUrl }: FirstConfiguration): string | undefined {
  if (!provider.reportsPushes) return undefined;
  const known = provider.cloneUrl("octocat/blog", baseUrl === undefined ? {} : { base_url: baseUrl });
  return known === null ? `${baseUrl ?? "https://git.example.com"}/octocat/blog.git` : undefined;
}

/** The settings to enter at the sender, and the next commands. */
export function explainNextSteps(
  { provider, repository, url, acme }: FirstConfiguration,
  names: {
    /** The configuration file. */
    readonly file: string;
    /** The next commands, in their order. */
    readonly commands: readonly string[];
    /** The file with the sender's secret, and the secret; null when the sender issues it. */
    readonly secretFile: string;
    readonly secret: string | null;
    /** Of the source for any other sender; null without one. */
    readonly verifyToken: string | null;
  },
): string {
  const { file, commands, secretFile, secret, verifyToken } = names;
  const origin = url.replace(/\/$/, "");
  const form = provider.webhookForm?.({
    url: `${origin}${pathOf(provider)}`,
    secrets: secret === null ? {} : { [provider.generatedSecret]: secret },
    repository: repository ?? null,
    waitsForCi: false,
  });
  const placeholder = url.includes("YOUR-SERVER")
    ? "Replace YOUR-SERVER with the public name of this server. "
    : "";
  const https =
    url.startsWith("https:") && acme === null
      ? `\n${placeholder}For HTTPS, set [server.acme] or [server.tls] in ${file}, or use a proxy.\n`
      : "";
  const issued =
    form?.issuedSecret === undefined
      ? ""
      : `\nCopy from ${form.sender}:\n  ${form.issuedSecret}, into ${secretFile} (mode 0600)\n`;
  return `
Paste into ${form?.sender} (${form?.page}):
${formatFields(form?.fields ?? [])}${issued}${verifyToken === null ? "" : explainGenericSource(origin, verifyToken)}${https}
${commands.map((command, index) => `${index === 0 ? "Then run" : "     and"}: ${command}\n`).join("")}`;
}

function explainGenericSource(origin: string, token: string): string {
  const fields = [
    ["URL", `${origin}/${WEBHOOK}`],
    ["Verify token", token],
  ] as const;
  return `
Any other sender shows the token with a GET (header "Authorization: Bearer TOKEN"); then
its address may POST JSON for a day. docs/senders.md has other methods:
${formatFields(fields)}`;
}

function formatFields(fields: readonly (readonly [label: string, value: string])[]): string {
  const width = Math.max(...fields.map(([label]) => label.length)) + 2;
  return fields.map(([label, value]) => `  ${label.padEnd(width)}${value}\n`).join("");
}

function pathOf({ name, defaultSource }: Provider): string {
  return defaultSource?.path ?? `/${name}-webhook`;
}

/** A TOML basic string, which has all escapes of JSON. */
function quote(text: string): string {
  return JSON.stringify(text);
}
