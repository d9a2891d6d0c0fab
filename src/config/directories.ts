import { dirname, relative } from "node:path";
import { type Place, type Report, under } from "./finding.ts";
import { describeFound } from "./found.ts";

/** Reports every target's directory that another target has, or that lies inside another target's. */
export function checkDirectories(
  targets: readonly { readonly place: Place; readonly directory: string | undefined }[],
  report: Report,
): void {
  const owners = new Map<string, Place>();
  for (const { place, directory } of targets) {
    if (directory !== undefined && !owners.has(directory)) owners.set(directory, place);
  }
  for (const { place, directory } of targets) {
    if (directory === undefined) continue;
    const at = under(place, "directory");
    const owner = owners.get(directory);
    if (owner !== undefined && owner !== place) {
      const found = `${describeFound(directory)}, which ${owner.path} has`;
      report.fault(at, `expected a directory that no other target has, found ${found}`);
    }
    const outer = ancestors(directory).find((ancestor) => owners.has(ancestor));
    if (outer !== undefined) {
      const found = `${describeFound(directory)}, inside that of ${owners.get(outer)?.path}`;
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
