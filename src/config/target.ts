import { resolve } from "node:path";
import type { Target } from "../domain/target.ts";
import { readAccess } from "./access.ts";
import { readCommitStatus } from "./commit-status.ts";
import { checkDirectories, isWithin } from "./directories.ts";
import { checkDistinct } from "./distinct.ts";
import { type Place, under } from "./finding.ts";
import { describeFound } from "./found.ts";
import type { Ground } from "./ground.ts";
import { LONGEST_TIMER, limitDuration } from "./limit.ts";
import { type TargetSection, TargetTable } from "./schema.ts";
import { readTable } from "./section.ts";
import { readAllowedSigners } from "./signers.ts";
import { findSource, type ReadSource } from "./source.ts";
import { parseHttpUrl } from "./url.ts";
import { readWatch } from "./watch.ts";

/** What targets are read with. */
export interface TargetTools {
  readonly sources: readonly ReadSource[];
  readonly layouts: readonly string[];
  readonly dataDir: string;
  readonly ground: Ground;
}

/** Checks every target, and that none is in another's way. Those with a fault are left out; it was reported. */
export function readTargets(
  written: readonly { readonly table: unknown; readonly place: Place }[],
  tools: TargetTools,
): readonly Target[] {
  const { report } = tools.ground;
  const sections = written.map(({ table, place }) => readTable(TargetTable, table, place, report));
  const targets = sections.map((section) => readTarget(section, tools));
  checkDistinct(
    "name",
    "target",
    sections.map(({ place, values }) => ({ place, value: values.name })),
    report,
  );
  checkDirectories(
    sections.map((section) => ({ place: section.place, directory: findDirectory(section, tools.ground) })),
    report,
  );
  return targets.filter((target) => target !== undefined);
}

function readTarget(section: TargetSection, tools: TargetTools): Target | undefined {
  const { values, place } = section;
  const { ground } = tools;
  const source = findSource(section, tools.sources, ground);
  const watch = readWatch(section, source?.provider, ground);
  const access = readAccess(section, watch, ground);
  const allowedSigners = readAllowedSigners(section, ground);
  const commitStatus = readCommitStatus(section, source?.provider, ground);
  const directory = findDirectory(section, ground);
  checkDirectory(section, directory, tools);
  checkLayout(values.layout, tools.layouts, under(place, "layout"), ground);
  checkCommands(section, ground);
  checkShared(values.shared ?? [], under(place, "shared"), ground);
  checkHealth(section, ground);
  limitDuration(values.timeout, LONGEST_TIMER, under(place, "timeout"), ground);

  if (!section.sound || values.name === undefined || directory === undefined) return undefined;
  if (source?.name === undefined || watch === undefined) return undefined;
  return Object.freeze({
    name: values.name,
    source: source.name,
    watch,
    directory,
    layout: values.layout ?? "releases",
    run: Object.freeze(values.run ?? []),
    after: Object.freeze(values.after ?? []),
    env: Object.freeze(values.env ?? {}),
    passEnv: Object.freeze(values.pass_env ?? []),
    shared: Object.freeze(values.shared ?? []),
    keepReleases: values.keep_releases ?? 5,
    timeout: values.timeout ?? 600_000,
    health: values.health
      ? Object.freeze({ url: values.health.url, within: values.health.within ?? 30_000 })
      : null,
    catchUp: values.catch_up ?? true,
    access,
    paths: Object.freeze(values.paths ?? []),
    ignorePaths: Object.freeze(values.ignore_paths ?? []),
    allowedSigners,
    commitStatus,
  });
}

function findDirectory({ values }: TargetSection, { directory }: Ground): string | undefined {
  return values.directory === undefined ? undefined : resolve(directory, values.directory);
}

function checkDirectory(
  section: TargetSection,
  directory: string | undefined,
  { dataDir, ground }: TargetTools,
): void {
  const place = under(section.place, "directory");
  if (directory === "/") ground.report.fault(place, 'expected a directory of the target\'s own, found "/"');
  // Git would clean the store and its secrets away, or put them into a release.
  else if (directory !== undefined && section.has("repository") && isWithin(dataDir, directory)) {
    const found = `${describeFound(directory)}, which has ${describeFound(dataDir)} in it`;
    ground.report.fault(place, `expected a directory apart from the data directory, found ${found}`);
  }
}

function checkLayout(
  layout: string | undefined,
  layouts: readonly string[],
  place: Place,
  { report }: Ground,
): void {
  if (layout === undefined || layouts.includes(layout)) return;
  const known = layouts.map((name) => describeFound(name)).join(", ");
  report.fault(place, `expected one of ${known}, found ${describeFound(layout)}`);
}

function checkCommands({ values, place, has }: TargetSection, { report }: Ground): void {
  for (const key of ["run", "after"] as const) {
    for (const [index, command] of (values[key] ?? []).entries()) {
      if (typeof command === "string" || command[0] !== "") continue;
      report.fault(
        under(under(place, key), index),
        "expected a program as the first of a list, found an empty string",
      );
    }
  }
  if (!has("repository") && (values.run?.length === 0 || !has("run"))) {
    report.fault(
      under(place, "run"),
      'expected at least one command, as there is no "repository" to deploy, found none',
    );
  }
}

function checkShared(shared: readonly string[], place: Place, { report }: Ground): void {
  for (const [index, path] of shared.entries()) {
    const outer = shared.findIndex((other, at) => at !== index && isWithin(`/${path}`, `/${other}`));
    if (outer < 0 || (shared[outer] === path && outer > index)) continue;
    const found = `${describeFound(path)}, which ${describeFound(shared[outer])} has in it`;
    report.fault(under(place, index), `expected a path outside of the other shared ones, found ${found}`);
  }
}

function checkHealth({ values, place }: TargetSection, ground: Ground): void {
  if (values.health === undefined) return;
  const at = under(place, "health");
  if (parseHttpUrl(values.health.url) === undefined) {
    ground.report.fault(under(at, "url"), "expected an http or https URL without user and password");
  }
  limitDuration(values.health.within, LONGEST_TIMER, under(at, "within"), ground);
}
