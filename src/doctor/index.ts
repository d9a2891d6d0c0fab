import type { Config } from "../config/load.ts";
import type { NotificationSettings } from "../domain/notification.ts";
import type { Clock } from "../lib/clock.ts";
import { providers } from "../providers/index.ts";
import { checkAcme, checkCertificate } from "./certificate.ts";
import { type CheckResult, ok } from "./check-result.ts";
import { checkDataDirectory } from "./data-directory.ts";
import { ownerOf } from "./files.ts";
import { checkClock, checkDisks, checkGit } from "./machine.ts";
import { checkPorts } from "./port.ts";
import { checkSecrets } from "./secrets.ts";
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
  config: Config,
  { env, clock }: CheckEnvironment,
): Promise<readonly CheckResult[]> {
  const now = clock.now();
  const path = env.PATH ?? "";
  const [clockResult, ports, git, targets] = await Promise.all([
    checkClock(now, path),
    checkPorts(config),
    checkGit(config.targets, path),
    checkTargets(config, env),
  ]);
  return [
    ...checkDataDirectory(config),
    ...checkSecrets(config.generated, config.secrets),
    ...checkDisks(config),
    clockResult,
    ...ports,
    ...checkCertificate(config, now),
    ...checkAcme(config, clock),
    ...checkPublicUrl(config),
    ...checkSources(config),
    ...git,
    ...targets,
    ...config.notify.map(checkNotify),
  ];
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
    return checkTarget(target, { env, user, reportsPushes: forges.includes(provider) });
  });
  return (await Promise.all(results)).flat();
}

/** Shows only the host of the channel's URL: the rest may be a secret. */
export function checkNotify({ name, format, url, kinds }: NotificationSettings): CheckResult {
  const { host } = new URL(url.reveal());
  return ok(`notify ${name}: ${format} to ${host} for ${kinds.join(", ")}`);
}
