import type { Provider } from "../domain/provider.ts";
import type { Watch, WatchedRef } from "../domain/target.ts";
import { checkCloneUrl } from "./clone-url.ts";
import { under } from "./finding.ts";
import { describeFound } from "./found.ts";
import type { Ground } from "./ground.ts";
import { whyNoBranch, whyNoTagPattern } from "./ref-name.ts";
import type { TargetSection } from "./schema.ts";

/** Keys that say nothing where there is no repository. */
const NEEDS_REPOSITORY = [
  "branch",
  "tag",
  "clone_url",
  "ssh_key",
  "known_hosts",
  "token",
  "paths",
  "ignore_paths",
  "verify_commit",
  "allowed_signers",
  "layout",
  "shared",
  "keep_releases",
  "catch_up",
  "status_token",
  "status_url",
] as const;

/**
 * What a target watches; null for one without a repository, undefined when something is wrong with it.
 * Without a provider, because the source is faulty, no clone URL is asked for.
 */
export function readWatch(
  section: TargetSection,
  provider: Provider | undefined,
  ground: Ground,
): Watch | null | undefined {
  if (!section.has("repository")) {
    for (const key of NEEDS_REPOSITORY.filter((key) => section.has(key))) {
      ground.report.fault(under(section.place, key), 'expected "repository" beside it, found none');
    }
    return null;
  }
  const ref = readRef(section, ground);
  const cloneUrl = readCloneUrl(section, provider, ground);
  const { repository } = section.values;
  if (repository === undefined || ref === undefined || cloneUrl === undefined) return undefined;
  return Object.freeze({ repository, ref, cloneUrl });
}

function readRef({ has, place, values }: TargetSection, { report }: Ground): WatchedRef | undefined {
  if (has("branch") === has("tag")) {
    const found = has("branch") ? "both" : "neither";
    report.fault(place, `expected one of "branch" and "tag" beside "repository", found ${found}`);
  }
  const { branch, tag } = values;
  const noBranch = branch === undefined ? null : whyNoBranch(branch);
  if (noBranch !== null) {
    const found = describeFound(branch);
    report.fault(under(place, "branch"), `expected the name of a branch, found ${found}: ${noBranch}`);
  }
  const noTag = tag === undefined ? null : whyNoTagPattern(tag);
  if (noTag !== null) {
    const found = describeFound(tag);
    report.fault(under(place, "tag"), `expected a tag or a pattern such as "v*", found ${found}: ${noTag}`);
  }
  if (branch !== undefined) return Object.freeze({ kind: "branch", name: branch });
  return tag === undefined ? undefined : Object.freeze({ kind: "tag", pattern: tag });
}

function readCloneUrl(
  { has, place, values }: TargetSection,
  provider: Provider | undefined,
  { directory, report }: Ground,
): string | undefined {
  const at = under(place, "clone_url");
  if (values.clone_url !== undefined) {
    const checked = checkCloneUrl(values.clone_url, directory);
    if (checked.ok) return checked.url;
    report.fault(at, `expected ${checked.expected}`);
  }
  if (has("clone_url") || values.repository === undefined || provider === undefined) return undefined;
  const url = provider.cloneUrl(values.repository) ?? undefined;
  if (url === undefined) {
    report.fault(
      at,
      `expected an address to clone from, which provider "${provider.name}" does not tell, found nothing`,
    );
  }
  return url;
}
