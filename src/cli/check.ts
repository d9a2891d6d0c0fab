import { Command } from "commander";
import { type Config, describeFinding, type Finding, listSecrets } from "../config/load.ts";
import { locateDataDir } from "../config/locate-data-dir.ts";
import { Fault } from "../domain/fault.ts";
import { providers } from "../providers/index.ts";
import { checkAcme } from "./check/acme.ts";
import { checkCertificate } from "./check/certificate.ts";
import { checkClock } from "./check/clock.ts";
import { adviseReader, checkDataDirectory } from "./check/data-directory.ts";
import { checkDisks } from "./check/disk.ts";
import { ownerOf } from "./check/files.ts";
import { checkGit } from "./check/git.ts";
import { checkNotify } from "./check/notify.ts";
import { checkPorts } from "./check/port.ts";
import { ok, type Remark, warn } from "./check/remark.ts";
import { checkSecrets } from "./check/secrets.ts";
import { checkPublicUrl, checkSources } from "./check/sources.ts";
import { checkTarget } from "./check/target.ts";
import { CONFIG_OPTION, readConfiguration } from "./configuration.ts";
import { makeTextPrintable } from "./printable-text.ts";
import { EXIT, type Finish, type Terminal } from "./terminal.ts";

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
    if (!(error instanceof Fault && error.message.includes("permission denied"))) throw error;
    const dataDir = locateDataDir(file, terminal);
    const advice = adviseReader(dataDir === null ? null : ownerOf(dataDir), process.getuid?.() ?? null);
    throw new Fault(error.code, `${error.message}\n${advice}`, error);
  }
}

function checkConfiguration(config: Config, warnings: readonly Finding[]): Remark[] {
  const read =
    config.file === null ? "no configuration file: the defaults stand" : `configuration ${config.file}`;
  return [ok(read), ...warnings.map((warning) => warn(describeFinding(warning)))];
}

/** From the machine to the server to the targets; what takes time is asked at once. */
async function checkWorld(config: Config, { env, clock: ownClock }: Terminal): Promise<readonly Remark[]> {
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
    ...checkSecrets(config.generated, listSecrets(config)),
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

async function checkTargets({ dataDir, sources, targets }: Config, env: Terminal["env"]): Promise<Remark[]> {
  // Whoever has the data directory is the user that the service runs as.
  const user = ownerOf(dataDir) ?? process.getuid?.() ?? null;
  const telling = new Set(providers.filter(({ tellsPushes }) => tellsPushes).map(({ name }) => name));
  const remarks = targets.map((target) => {
    const source = sources.find(({ name }) => name === target.source);
    return checkTarget(target, { env, user, tellsPushes: telling.has(source?.provider ?? "") });
  });
  return (await Promise.all(remarks)).flat();
}
