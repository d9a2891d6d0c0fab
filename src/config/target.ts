import { dirname, isAbsolute, relative } from "node:path";
import type { Provider } from "../domain/provider.ts";
import type { Placement, Target } from "../domain/target.ts";
import { readCommitStatus, readCredentials } from "./credentials.ts";
import type { ReadContext } from "./read/context.ts";
import { child, describeChoice, formatValue, type IssueList, type Place } from "./read/issues.ts";
import { checkExpansion, hasVariable, needsShell, resolvePath } from "./read/paths.ts";
import { checkUnique, readTable, type WrittenTable } from "./read/table.ts";
import { readRepository } from "./repository.ts";
import { readRules } from "./rules.ts";
import { type CheckedSource, findSource } from "./source.ts";
import { type TargetSettings, TargetTable } from "./target-schema.ts";

/** How targets are read. */
export interface TargetContext extends ReadContext {
  readonly sources: readonly CheckedSource[];
  readonly providers: readonly Provider[];
  /** The names of the layouts. */
  readonly layouts: readonly string[];
  readonly dataDir: string;
  /** Whether several hosts share the store. */
  readonly isShared: boolean;
}

/** Checks every target, and that no two conflict. Returns those without faults. */
export function readTargets(written: readonly WrittenTable[], context: TargetContext): readonly Target[] {
  const { issues } = context;
  const tables = written.map(({ table, place }) => readTable(TargetTable, table, place, issues));
  const targets = tables.map((table) => readTarget(table, context));
  const owners = tables.map((table) => {
    const directory = resolveDirectory(table, context);
    return { place: table.place, name: table.values.name, directory, hasLayout: table.has("repository") };
  });
  checkUnique("name", "target", owners, issues);
  checkUnique("directory", "target", withoutSharing(owners), issues);
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
  const { allowsCatchUp, ...rules } = readRules(settings, source, context);
  const directory = resolveDirectory(settings, context);
  checkDirectory(settings, directory, context);
  checkLayout(settings, context);
  checkCommands(settings, context);
  checkPath(settings, context);
  checkEnvironment(settings, context);
  checkShared(values.shared, child(place, "shared"), context);
  const placement = readPlacement(settings, context);

  if (!isValid() || values.name === undefined || directory === undefined) return undefined;
  if (source?.name === undefined || repository === undefined) return undefined;
  return Object.freeze({
    name: values.name,
    source: source.name,
    repository,
    ...rules,
    directory,
    layout: values.layout,
    run: Object.freeze(values.run),
    after: Object.freeze(values.after),
    searchPath: Object.freeze(values.path),
    env: Object.freeze(values.env),
    passEnv: Object.freeze(values.pass_env),
    shared: Object.freeze(values.shared),
    keepReleases: values.keep_releases,
    timeout: values.timeout,
    health: values.health ? Object.freeze(values.health) : null,
    queue: values.queue ?? (repository === null ? "all" : "latest"),
    catchUp: values.catch_up && allowsCatchUp,
    access,
    paths: Object.freeze(values.paths ?? []),
    ignorePaths: Object.freeze(values.ignore_paths ?? []),
    allowedSigners,
    commitStatus,
    ...(placement !== null && { placement }),
  });
}

/** Where the target is deployed; null where the store has one host. */
function readPlacement(
  { values: { hosts, rollout }, has, isValid, place }: TargetSettings,
  { isShared, issues }: TargetContext,
): Placement | null {
  for (const key of ["hosts", "rollout"] as const) {
    if (isShared || !has(key) || !isValid([key])) continue;
    issues.fault(child(place, key), "needs [store] url: a SQLite file has one host");
  }
  if (!isShared) return null;
  if (rollout === "one-by-one" && hosts?.length === 1) {
    issues.warn(child(place, "rollout"), "has no effect because hosts has one name");
  }
  return Object.freeze({ hosts: hosts ? Object.freeze(hosts) : null, rollout: rollout ?? "together" });
}

/** The absolute path of the file of allowed signers; null when commits need no signature. */
function readAllowedSigners(
  { has, isValid, place, values }: TargetSettings,
  context: ReadContext,
): string | null {
  const { issues, directory } = context;
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
  return verify && file !== undefined ? resolvePath(file, directory, at, context) : null;
}

function resolveDirectory({ values, place }: TargetSettings, context: ReadContext): string | undefined {
  if (values.directory === undefined) return undefined;
  return resolvePath(values.directory, context.directory, child(place, "directory"), context);
}

function checkDirectory(
  { has, place }: TargetSettings,
  directory: string | undefined,
  { dataDir, issues }: TargetContext,
): void {
  const at = child(place, "directory");
  if (directory === "/" && has("repository")) {
    issues.fault(at, 'a target needs its own directory, not "/"');
  }
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

function checkCommands({ values, place, has, isValid }: TargetSettings, context: ReadContext): void {
  const { issues } = context;
  for (const key of ["run", "after"] as const) {
    for (const [index, command] of values[key].entries()) {
      if (typeof command !== "string") checkArguments(command, child(child(place, key), index), context);
    }
  }
  if (!has("repository") && values.run.length === 0 && isValid(["run"])) {
    issues.fault(child(place, "run"), 'a target without "repository" needs at least one command');
  }
}

/** An argument list runs without a shell. The text of a `-c` is for a shell again. */
function checkArguments(command: readonly string[], place: Place, context: ReadContext): void {
  const [program = "", ...words] = command;
  if (program === "") {
    context.issues.fault(place, "expected a program as the first item, found an empty string");
  }
  checkExpansion(program, child(place, 0), context);
  const end = words.findIndex((word) => /^-\w*c$/.test(word));
  for (const [index, word] of words.slice(0, end < 0 ? undefined : end).entries()) {
    if (!isMeantForShell(word)) continue;
    context.issues.warn(
      child(place, index + 1),
      '"~" and variables are not expanded in a list of arguments: write the value, or the command as one string',
    );
  }
}

/** Whether a whole text is `$NAME` or a path that begins with it or with `~`. Passwords and patterns may hold a `$`. */
function isMeantForShell(text: string): boolean {
  return needsShell(text) && /^(?:~|\$\w+|\$\{\w+\})(?:\/|$)/.test(text);
}

/** Reports variables that only a shell would expand. The values may be secrets and are not repeated. */
function checkEnvironment({ values, place }: TargetSettings, { issues }: ReadContext): void {
  for (const [name, value] of Object.entries<string>(values.env)) {
    const at = child(child(place, "env"), name);
    if (name === "PATH" && (hasVariable(value) || value.split(":").some(needsShell))) {
      const remedy = 'remove it, and list the directories to search first in "path"';
      issues.fault(at, `"~" and variables such as $PATH are not expanded here: ${remedy}`);
    } else if (isMeantForShell(value)) {
      issues.warn(at, '"~" and variables are not expanded here: write the value, or set it in "run"');
    }
  }
}

function checkPath({ values, place }: TargetSettings, context: ReadContext): void {
  for (const [index, directory] of values.path.entries()) {
    const at = child(child(place, "path"), index);
    if (!checkExpansion(directory, at, context) || isAbsolute(directory)) continue;
    // Git searches there too, before a commit is verified.
    context.issues.fault(at, `expected an absolute path, found ${formatValue(directory)}`);
  }
}

function checkShared(shared: readonly string[], place: Place, { issues }: ReadContext): void {
  for (const [index, path] of shared.entries()) {
    if (needsShell(path)) {
      const remedy = "write the path inside the release";
      issues.fault(
        child(place, index),
        `"~" and variables are not expanded here, found ${formatValue(path)}: ${remedy}`,
      );
    }
    const outer = shared.findIndex((other, at) => at !== index && isWithin(`/${path}`, `/${other}`));
    if (outer < 0 || (shared[outer] === path && outer > index)) continue;
    const problem = `${formatValue(path)} is already covered by ${formatValue(shared[outer])}: remove it`;
    issues.fault(child(place, index), problem);
  }
}

/** The directory of a target. Without a repository, nothing in it belongs to the target. */
interface DirectoryOwner {
  readonly place: Place;
  readonly directory: string | undefined;
  readonly hasLayout: boolean;
}

/** The targets of which no two may have the same directory: of those without a repository, the first in each. */
function withoutSharing<Owner extends DirectoryOwner>(targets: readonly Owner[]): readonly Owner[] {
  const isFirst = ({ directory }: Owner, index: number) =>
    targets.findIndex((other) => !other.hasLayout && other.directory === directory) === index;
  return targets.filter((target, index) => target.hasLayout || isFirst(target, index));
}

/** Reports every directory that is inside another target's, unless both are without a repository. */
function checkNesting(targets: readonly DirectoryOwner[], issues: IssueList): void {
  for (const { place, directory = "/", hasLayout } of targets) {
    const others = targets.filter((other) => hasLayout || other.hasLayout);
    // Reversed, so that the first of several owners counts.
    const owners = new Map(others.toReversed().map((other) => [other.directory, other.place]));
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
