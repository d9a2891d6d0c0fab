import { dirname, relative, resolve } from "node:path";
import type { Target } from "../domain/target.ts";
import { readCommitStatus, readCredentials } from "./credentials.ts";
import type { ReadContext } from "./read/context.ts";
import { child, describeChoice, formatValue, type IssueList, type Place } from "./read/issues.ts";
import { checkUnique, readTable, type WrittenTable } from "./read/table.ts";
import { readRepository } from "./repository.ts";
import { type CheckedSource, findSource } from "./source.ts";
import { type TargetSettings, TargetTable } from "./target-schema.ts";

/** How targets are read. */
export interface TargetContext extends ReadContext {
  readonly sources: readonly CheckedSource[];
  /** The names of the layouts. */
  readonly layouts: readonly string[];
  readonly dataDir: string;
}

/** Checks every target, and that no two conflict. Returns those without faults. */
export function readTargets(written: readonly WrittenTable[], context: TargetContext): readonly Target[] {
  const { issues } = context;
  const tables = written.map(({ table, place }) => readTable(TargetTable, table, place, issues));
  const targets = tables.map((table) => readTarget(table, context));
  const owners = tables.map((table) => {
    return { place: table.place, name: table.values.name, directory: resolveDirectory(table, context) };
  });
  checkUnique("name", "target", owners, issues);
  checkUnique("directory", "target", owners, issues);
  checkNesting(owners, issues);
  return targets.filter((target) => target !== undefined);
}

function readTarget(settings: TargetSettings, context: TargetContext): Target | undefined {
  const { values, place, isValid } = settings;
  const source = findSource(settings, context.sources, context);
  const repository = readRepository(settings, source, context);
  const access = readCredentials(settings, repository, context);
  const allowedSigners = readAllowedSigners(settings, context);
  const commitStatus = readCommitStatus(settings, source?.provider, context);
  const directory = resolveDirectory(settings, context);
  checkDirectory(settings, directory, context);
  checkLayout(settings, context);
  checkCommands(settings, context);
  checkShared(values.shared, child(place, "shared"), context);

  if (!isValid() || values.name === undefined || directory === undefined) return undefined;
  if (source?.name === undefined || repository === undefined) return undefined;
  return Object.freeze({
    name: values.name,
    source: source.name,
    repository,
    directory,
    layout: values.layout,
    run: Object.freeze(values.run),
    after: Object.freeze(values.after),
    env: Object.freeze(values.env),
    passEnv: Object.freeze(values.pass_env),
    shared: Object.freeze(values.shared),
    keepReleases: values.keep_releases,
    timeout: values.timeout,
    health: values.health ? Object.freeze(values.health) : null,
    catchUp: values.catch_up,
    access,
    paths: Object.freeze(values.paths ?? []),
    ignorePaths: Object.freeze(values.ignore_paths ?? []),
    allowedSigners,
    commitStatus,
  });
}

/** The absolute path of the file of allowed signers; null when commits need no signature. */
function readAllowedSigners(
  { has, isValid, place, values }: TargetSettings,
  { issues, directory }: ReadContext,
): string | null {
  const { verify_commit: verify, allowed_signers: file } = values;
  const at = child(place, "allowed_signers");
  if (verify && !has("allowed_signers")) {
    issues.fault(
      at,
      "is missing: verify_commit needs a file with the keys of allowed signers (see ssh-keygen(1), ALLOWED SIGNERS)",
    );
  }
  if (has("allowed_signers") && !verify && isValid(["verify_commit"])) {
    // Otherwise a user who names signers would believe that commits are verified.
    if (!has("verify_commit")) issues.fault(at, 'needs "verify_commit = true"');
    else issues.warn(at, "has no effect because verify_commit is false");
  }
  return verify && file !== undefined ? resolve(directory, file) : null;
}

function resolveDirectory({ values }: TargetSettings, { directory }: ReadContext): string | undefined {
  return values.directory === undefined ? undefined : resolve(directory, values.directory);
}

function checkDirectory(
  { has, place }: TargetSettings,
  directory: string | undefined,
  { dataDir, issues }: TargetContext,
): void {
  const at = child(place, "directory");
  if (directory === "/") issues.fault(at, 'a target needs its own directory, not "/"');
  // Git would delete the store and its secrets, or copy them into a release.
  else if (directory !== undefined && has("repository") && isWithin(dataDir, directory)) {
    issues.fault(
      at,
      `${formatValue(directory)} contains the data directory ${formatValue(dataDir)}: choose another directory`,
    );
  }
}

function checkLayout({ values, place }: TargetSettings, { layouts, issues }: TargetContext): void {
  if (layouts.includes(values.layout)) return;
  issues.fault(child(place, "layout"), describeChoice("", layouts, values.layout));
}

function checkCommands({ values, place, has, isValid }: TargetSettings, { issues }: ReadContext): void {
  for (const key of ["run", "after"] as const) {
    for (const [index, command] of values[key].entries()) {
      if (typeof command === "string" || command[0] !== "") continue;
      const problem = "expected a program as the first item, found an empty string";
      issues.fault(child(child(place, key), index), problem);
    }
  }
  if (!has("repository") && values.run.length === 0 && isValid(["run"])) {
    issues.fault(child(place, "run"), 'a target without "repository" needs at least one command');
  }
}

function checkShared(shared: readonly string[], place: Place, { issues }: ReadContext): void {
  for (const [index, path] of shared.entries()) {
    const outer = shared.findIndex((other, at) => at !== index && isWithin(`/${path}`, `/${other}`));
    if (outer < 0 || (shared[outer] === path && outer > index)) continue;
    const problem = `${formatValue(path)} is already covered by ${formatValue(shared[outer])}: remove it`;
    issues.fault(child(place, index), problem);
  }
}

/** Reports every directory that is inside another target's. */
function checkNesting(
  targets: readonly { readonly place: Place; readonly directory: string | undefined }[],
  issues: IssueList,
): void {
  // Reversed, so that the first of several owners counts.
  const owners = new Map(targets.toReversed().map(({ place, directory }) => [directory, place]));
  for (const { place, directory = "/" } of targets) {
    const outer = ancestorsOf(directory).find((ancestor) => owners.has(ancestor));
    if (outer === undefined) continue;
    const owner = owners.get(outer)?.path;
    issues.fault(
      child(place, "directory"),
      `${formatValue(directory)} is inside the directory of ${owner}: choose another directory`,
    );
  }
}

/** Whether a path is the directory or below it. Both are absolute and normalised. */
function isWithin(path: string, directory: string): boolean {
  return !/^\.\.(?:\/|$)/.test(relative(directory, path));
}

/** Every directory above, except the root, which no target may have. */
function ancestorsOf(directory: string): string[] {
  const parent = dirname(directory);
  return parent === dirname(parent) ? [] : [parent, ...ancestorsOf(parent)];
}
