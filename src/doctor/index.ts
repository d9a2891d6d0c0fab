import { lookup } from "node:dns/promises";
import type { Config } from "../config/load.ts";
import type { NotificationSettings } from "../domain/notification.ts";
import { isDeployedOn } from "../domain/target.ts";
import type { Clock } from "../lib/clock.ts";
import { errorMessage } from "../lib/errors.ts";
import { tryMailServer } from "../notify/smtp.ts";
import { providers } from "../providers/index.ts";
import { checkAcme, checkCertificate } from "./certificate.ts";
import { type CheckResult, fail, ok, warn } from "./check-result.ts";
import { checkDataDirectory } from "./data-directory.ts";
import { checkDatabase } from "./database.ts";
import { ownerOf } from "./files.ts";
import { checkClock, checkDisks, checkGit } from "./machine.ts";
import { checkPorts } from "./port.ts";
import { checkSecrets } from "./secrets.ts";
import { describeServicePath, findServicePath } from "./service-path.ts";
import { checkPublicUrl, checkSources } from "./sources.ts";
import { checkTarget } from "./target.ts";

export type { CheckResult } from "./check-result.ts";

/** The process environment and the clock. */
interface CheckEnvironment {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
}

/** Checks everything that a configuration refers to, from the machine to the server to the targets. Changes nothing. */
export async function checkAll(
  whole: Config,
  { env, clock }: CheckEnvironment,
): Promise<readonly CheckResult[]> {
  const { postgres } = whole.store;
  // The directories and keys of the others are on other machines.
  const config =
    postgres === null
      ? whole
      : { ...whole, targets: whole.targets.filter((target) => isDeployedOn(target, postgres.host)) };
  const now = clock.now();
  const service = await findServicePath(config.dataDir, env);
  const [clockResult, ports, git, targets, notify] = await Promise.all([
    attempt("clock", async () => [await checkClock(now, env.PATH ?? "")]),
    attempt("ports", () => checkPorts(config)),
    attempt("git", () => checkGit(config.targets, service.path)),
    checkTargets(config, { ...env, PATH: service.path }),
    attempt("notify", () => Promise.all(config.notify.map(checkNotify))),
  ]);
  return [
    ...(await attempt("data directory", () => checkDataDirectory(config))),
    ...(await attempt("secrets", () => checkSecrets(config.generated, config.secrets))),
    ...(await attempt("database", () => checkDatabase(whole))),
    ...(await attempt("disks", () => checkDisks(config))),
    ...clockResult,
    ...ports,
    ...(await attempt("certificate", () => checkCertificate(config, now))),
    ...(await attempt("server.acme", () => checkAcme(config, clock))),
    ...(await attempt("public_url", () => checkPublicUrl(config))),
    ...(await attempt("sources", () => checkSources(config))),
    ...git,
    ...(config.targets.length === 0 ? [] : [describeServicePath(service)]),
    ...targets,
    ...notify,
  ];
}

type Results = readonly CheckResult[];

/** Runs one check. Its error is a finding, so that the other checks run. */
export async function attempt(subject: string, check: () => Results | Promise<Results>): Promise<Results> {
  try {
    return await check();
  } catch (error) {
    return [fail(`${subject}: cannot be checked: ${errorMessage(error)}`)];
  }
}

async function checkTargets(
  { dataDir, sources, targets }: Config,
  env: CheckEnvironment["env"],
): Promise<readonly CheckResult[]> {
  // The data directory belongs to the user that the service runs as.
  const user = ownerOf(dataDir) ?? process.getuid?.() ?? null;
  const forges = providers.filter(({ reportsPushes }) => reportsPushes).map(({ name }) => name);
  const results = targets.map((target) => {
    const { provider = "" } = sources.find(({ name }) => name === target.source) ?? {};
    const context = { env, user, reportsPushes: forges.includes(provider) };
    return attempt(`target ${target.name}`, () => checkTarget(target, context));
  });
  return (await Promise.all(results)).flat();
}

/** Milliseconds that the mail server may take for each step. */
const MAIL_TIMEOUT = 10_000;

/** Whether a host has an address. `hostname` is that of a URL. */
async function isKnownHost(hostname: string): Promise<boolean> {
  try {
    await lookup(hostname.replace(/^\[|\]$/g, ""));
    return true;
  } catch {
    return false;
  }
}

/** Shows only the host of the channel's URL: the rest may be a secret. Logs in to a mail server, without a message. */
export async function checkNotify(settings: NotificationSettings): Promise<CheckResult> {
  const { name, format, kinds } = settings;
  if (settings.format !== "smtp") {
    const { host, hostname } = new URL(settings.url.reveal());
    const text = `notify ${name}: ${format} to ${host} for ${kinds.join(", ")}`;
    return (await isKnownHost(hostname))
      ? ok(text)
      : warn(
          `${text}: this machine does not find the host; check the URL and the DNS, unless a proxy resolves it`,
        );
  }
  const { host, port, to } = settings;
  const recipients = to.map(({ address }) => address).join(", ");
  const text = `notify ${name}: e-mail to ${recipients} through ${host}:${port}`;
  const outcome = await tryMailServer(settings, MAIL_TIMEOUT);
  if (outcome.kind === "taken") return ok(`${text} for ${kinds.join(", ")}`);
  return (outcome.kind === "refused" ? fail : warn)(`${text}: ${outcome.reason}`);
}
