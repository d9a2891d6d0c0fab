import { AppError } from "../../lib/errors.ts";
import { generic } from "../../providers/generic/index.ts";
import { readConfiguration } from "../configuration.ts";
import {
  explainNextSteps,
  type FirstConfiguration,
  hasIssuedSecret,
  secretFiles,
  targetName,
  writeFirstConfiguration,
} from "../output/first-configuration.ts";
import type { Terminal } from "../terminal.ts";
import type { Host } from "./host.ts";
import { CONFIG_DIRECTORY, CONFIG_FILE, DATA_DIRECTORY, type Plan, planSystem } from "./plan.ts";
import { readSecretFile, setUp } from "./set-up.ts";

/** The options of `init` that only `--system` has. */
export interface InitSystemOptions {
  readonly sites: string;
  readonly restart: readonly string[];
  readonly dryRun: boolean;
}

/** `hooklatch init --system`: sets up a service of this machine. */
export async function initSystem(
  given: FirstConfiguration,
  { sites, restart, dryRun }: InitSystemOptions,
  terminal: Terminal,
  host: Host,
): Promise<void> {
  const directory = given.directory ?? `${sites.replace(/\/+$/, "")}/${targetName(given)}`;
  const first = { ...given, directory };
  rejectInvalid(first, terminal);
  const { provider, repository } = first;
  const files = secretFiles(provider, CONFIG_DIRECTORY);
  const senderSecret = hasIssuedSecret(first) ? [] : [{ path: files.sender, format: provider.formatSecret }];
  const verifyToken = first.hasGenericSource ? [{ path: files.webhook, format: generic.formatSecret }] : [];
  const plan = planSystem(
    {
      executable: terminal.executable,
      sites,
      directory: repository === undefined ? null : directory,
      restart,
      hasLowPorts: first.acme !== null,
      configuration: writeFirstConfiguration(
        first,
        { data: DATA_DIRECTORY, secrets: CONFIG_DIRECTORY },
        "with secrets",
      ),
      secrets: [...senderSecret, ...verifyToken],
    },
    host,
  );
  if (!dryRun && !host.isSuperuser) {
    throw new AppError(
      "failed",
      "init --system adds a user and writes to /etc: run it with sudo, or add --dry-run to see what it does",
    );
  }
  const { isConfigured } = await setUp(plan, dryRun, host, terminal);
  if (!isConfigured) {
    terminal.out(
      `\n${CONFIG_FILE} was written with other options, or edited. To see what to enter at the senders, run:\n  cd / && hooklatch check\n`,
    );
    return;
  }
  const show = ({ path }: { readonly path: string }) =>
    readSecretFile(path, host) ?? (dryRun ? `(the content of ${path})` : "");
  terminal.out(
    explainNextSteps(first, {
      file: CONFIG_FILE,
      commands: nextCommands(plan, first),
      secretFile: files.sender,
      secret: senderSecret.map(show)[0] ?? null,
      verifyToken: verifyToken.map(show)[0] ?? null,
    }),
  );
}

/** Nothing may be created if the value of an option is invalid. The service does not get this environment. */
function rejectInvalid(first: FirstConfiguration, terminal: Terminal): void {
  // Without generated secrets, which this user may be unable to read.
  const directories = { data: "/nonexistent", secrets: CONFIG_DIRECTORY };
  const text = writeFirstConfiguration(first, directories, "without secrets");
  readConfiguration(
    undefined,
    { ...terminal, env: {} },
    { draft: { file: CONFIG_FILE, label: CONFIG_FILE, text } },
  );
}

function nextCommands({ hasSystemd, executable }: Plan, first: FirstConfiguration): readonly string[] {
  const start = hasSystemd
    ? "systemctl enable --now hooklatch"
    : `su -s /bin/sh -c 'cd / && exec ${executable} serve' hooklatch`;
  return [
    start,
    ...(first.repository === undefined ? [] : [`hooklatch deploy ${targetName(first)} --follow`]),
  ];
}
