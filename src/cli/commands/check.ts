import { Command } from "commander";
import { findDataDirectory } from "../../config/data-directory.ts";
import { type Config, type ConfigIssue, describeIssue } from "../../config/load.ts";
import { checkAcme, checkCertificate } from "../../doctor/certificate.ts";
import { checkClock } from "../../doctor/clock.ts";
import { adviseReader, checkDataDirectory, checkDisks } from "../../doctor/data-directory.ts";
import { ownerOf } from "../../doctor/files.ts";
import { checkGit } from "../../doctor/git.ts";
import { type CheckResult, ok, warn } from "../../doctor/index.ts";
import { checkNotify } from "../../doctor/notify.ts";
import { checkPorts } from "../../doctor/port.ts";
import { checkSecrets } from "../../doctor/secrets.ts";
import { checkPublicUrl, checkSources } from "../../doctor/sources.ts";
import { checkTarget } from "../../doctor/target.ts";
import { AppError } from "../../lib/errors.ts";
import { providers } from "../../providers/index.ts";
import { CONFIG_OPTION, readConfiguration } from "../configuration.ts";
import { makeTextPrintable } from "../output/sanitise.ts";
import { EXIT, type Finish, type Terminal } from "../terminal.ts";

/** `hooklatch check`: looks at the configuration and the world it names, and changes nothing. */
export function check(terminal: Terminal, finish: Finish): Command {
  return new Command("check")
    .description("check the configuration and the world it names; change nothing")
    .option(...CONFIG_OPTION)
    .action(async ({ config: file }: { config?: string }) => {
      const { config, warnings } = readAsService(file, terminal);
      const remarks = [...checkConfiguration(config, warnings), ...(await checkWorld(config, terminal))];
      for (const { level, text } of remarks) terminal.out(`${level.padEnd(4)} ${makeTextPrintable(text)}\n`);
      if (remarks.some(({ level }) => level === "fail")) finish(EXIT.failed);
    });
}

/** What the service may read, somebody else at a shell may not. */
function readAsService(file: string | undefined, terminal: Terminal): ReturnType<typeof readConfiguration> {
  try {
    return readConfiguration(file, terminal);
  } catch (error) {
    if (!(error instanceof AppError && error.message.includes("permission denied"))) throw error;
    const dataDir = findDataDirectory(file, terminal);
    const advice = adviseReader(dataDir === null ? null : ownerOf(dataDir), process.getuid?.() ?? null);
    throw new AppError(error.code, `${error.message}\n${advice}`, error);
  }
}

function checkConfiguration(config: Config, warnings: readonly ConfigIssue[]): CheckResult[] {
  const read =
    config.file === null ? "no configuration file: the defaults stand" : `configuration ${config.file}`;
  return [ok(read), ...warnings.map((warning) => warn(describeIssue(warning)))];
}

/** From the machine to the server to the targets; what takes time is asked at once. */
async function checkWorld(
  config: Config,
  { env, clock: ownClock }: Terminal,
): Promise<readonly CheckResult[]> {
  const now = ownClock.now();
  const path = env.PATH ?? "";
  const { dataDir, targets } = config;
  const [clock, ports, git, ofTargets] = await Promise.all([
    checkClock({ now, dataDir, executable: process.execPath, path }),
    checkPorts(config),
    checkGit(targets, path),
    checkTargets(config, env),
  ]);
  return [
    ...checkDataDirectory(config),
    ...checkSecrets(config.generated, config.secrets),
    ...checkDisks(config),
    clock,
    ...ports,
    ...checkCertificate(config, now),
    ...checkAcme(config, ownClock),
    ...checkPublicUrl(config),
    ...checkSources(config),
    ...git,
    ...ofTargets,
    ...config.notify.map(checkNotify),
  ];
}

async function checkTargets(
  { dataDir, sources, targets }: Config,
  env: Terminal["env"],
): Promise<CheckResult[]> {
  // Whoever has the data directory is the user that the service runs as.
  const user = ownerOf(dataDir) ?? process.getuid?.() ?? null;
  const telling = new Set(providers.filter(({ reportsPushes }) => reportsPushes).map(({ name }) => name));
  const remarks = targets.map((target) => {
    const source = sources.find(({ name }) => name === target.source);
    return checkTarget(target, { env, user, tellsPushes: telling.has(source?.provider ?? "") });
  });
  return (await Promise.all(remarks)).flat();
}
