import { dirname, relative, resolve } from "node:path";
import type { Target } from "../domain/target.ts";
import { readAllowedSigners } from "./commit-verification.ts";
import { readCommitStatus, readCredentials } from "./credentials.ts";
import type { ReadContext } from "./read/context.ts";
import { child, type IssueList, type Place } from "./read/issues.ts";
import { checkUnique, LONGEST_TIMER, limitDuration } from "./read/limits.ts";
import { parseHttpUrl } from "./read/network.ts";
import { formatValue, readTable } from "./read/table.ts";
import { readRepository } from "./repository.ts";
import { type TargetSection, TargetTable } from "./schema.ts";
import { findSource, type ReadSource } from "./source.ts";

/** What targets are read with. */
export interface TargetTools {
  readonly sources: readonly ReadSource[];
  readonly layouts: readonly string[];
  readonly dataDir: string;
  readonly ground: ReadContext;
}

/** Checks every target, and that none is in another's way. Those with a fault are left out; it was reported. */
export function readTargets(
  written: readonly { readonly table: unknown; readonly place: Place }[],
  tools: TargetTools,
): readonly Target[] {
  const { report } = tools.ground;
  const sections = written.map(({ table, place }) => readTable(TargetTable, table, place, report));
  const targets = sections.map((section) => readTarget(section, tools));
  checkUnique(
    "name",
    "target",
    sections.map(({ place, values }) => ({ place, value: values.name })),
    report,
  );
  checkOverlap(
    sections.map((section) => ({ place: section.place, directory: findDirectory(section, tools.ground) })),
    report,
  );
  return targets.filter((target) => target !== undefined);
}

function readTarget(section: TargetSection, tools: TargetTools): Target | undefined {
  const { values, place } = section;
  const { ground } = tools;
  const source = findSource(section, tools.sources, ground);
  const watch = readRepository(section, source?.provider, ground);
  const access = readCredentials(section, watch, ground);
  const allowedSigners = readAllowedSigners(section, ground);
  const commitStatus = readCommitStatus(section, source?.provider, ground);
  const directory = findDirectory(section, ground);
  checkDirectory(section, directory, tools);
  checkLayout(values.layout, tools.layouts, child(place, "layout"), ground);
  checkCommands(section, ground);
  checkShared(values.shared ?? [], child(place, "shared"), ground);
  checkHealth(section, ground);
  limitDuration(values.timeout, LONGEST_TIMER, child(place, "timeout"), ground);

  if (!section.sound || values.name === undefined || directory === undefined) return undefined;
  if (source?.name === undefined || watch === undefined) return undefined;
  return Object.freeze({
    name: values.name,
    source: source.name,
    repository: watch,
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

function findDirectory({ values }: TargetSection, { directory }: ReadContext): string | undefined {
  return values.directory === undefined ? undefined : resolve(directory, values.directory);
}

function checkDirectory(
  section: TargetSection,
  directory: string | undefined,
  { dataDir, ground }: TargetTools,
): void {
  const place = child(section.place, "directory");
  if (directory === "/") ground.report.fault(place, 'expected a directory of the target\'s own, found "/"');
  // Git would clean the store and its secrets away, or put them into a release.
  else if (directory !== undefined && section.has("repository") && isWithin(dataDir, directory)) {
    const found = `${formatValue(directory)}, which has ${formatValue(dataDir)} in it`;
    ground.report.fault(place, `expected a directory apart from the data directory, found ${found}`);
  }
}

function checkLayout(
  layout: string | undefined,
  layouts: readonly string[],
  place: Place,
  { report }: ReadContext,
): void {
  if (layout === undefined || layouts.includes(layout)) return;
  const known = layouts.map((name) => formatValue(name)).join(", ");
  report.fault(place, `expected one of ${known}, found ${formatValue(layout)}`);
}

function checkCommands({ values, place, has }: TargetSection, { report }: ReadContext): void {
  for (const key of ["run", "after"] as const) {
    for (const [index, command] of (values[key] ?? []).entries()) {
      if (typeof command === "string" || command[0] !== "") continue;
      report.fault(
        child(child(place, key), index),
        "expected a program as the first of a list, found an empty string",
      );
    }
  }
  if (!has("repository") && (values.run?.length === 0 || !has("run"))) {
    report.fault(
      child(place, "run"),
      'expected at least one command, as there is no "repository" to deploy, found none',
    );
  }
}

function checkShared(shared: readonly string[], place: Place, { report }: ReadContext): void {
  for (const [index, path] of shared.entries()) {
    const outer = shared.findIndex((other, at) => at !== index && isWithin(`/${path}`, `/${other}`));
    if (outer < 0 || (shared[outer] === path && outer > index)) continue;
    const found = `${formatValue(path)}, which ${formatValue(shared[outer])} has in it`;
    report.fault(child(place, index), `expected a path outside of the other shared ones, found ${found}`);
  }
}

function checkHealth({ values, place }: TargetSection, ground: ReadContext): void {
  if (values.health === undefined) return;
  const at = child(place, "health");
  if (parseHttpUrl(values.health.url) === undefined) {
    ground.report.fault(child(at, "url"), "expected an http or https URL without user and password");
  }
  limitDuration(values.health.within, LONGEST_TIMER, child(at, "within"), ground);
}

/** Reports every target's directory that another target has, or that lies inside another target's. */
export function checkOverlap(
  targets: readonly { readonly place: Place; readonly directory: string | undefined }[],
  report: IssueList,
): void {
  const owners = new Map<string, Place>();
  for (const { place, directory } of targets) {
    if (directory !== undefined && !owners.has(directory)) owners.set(directory, place);
  }
  for (const { place, directory } of targets) {
    if (directory === undefined) continue;
    const at = child(place, "directory");
    const owner = owners.get(directory);
    if (owner !== undefined && owner !== place) {
      const found = `${formatValue(directory)}, which ${owner.path} has`;
      report.fault(at, `expected a directory that no other target has, found ${found}`);
    }
    const outer = ancestors(directory).find((ancestor) => owners.has(ancestor));
    if (outer !== undefined) {
      const found = `${formatValue(directory)}, inside that of ${owners.get(outer)?.path}`;
      report.fault(at, `expected a directory outside of other targets', found ${found}`);
    }
  }
}

/** Whether a path is the directory itself or below it. Both are absolute and normalised. */
export function isWithin(path: string, directory: string): boolean {
  return !/^\.\.(?:\/|$)/.test(relative(directory, path));
}

/** Without the root, which no target may have anyway. */
function ancestors(directory: string): string[] {
  const parent = dirname(directory);
  return parent === dirname(parent) ? [] : [parent, ...ancestors(parent)];
}
