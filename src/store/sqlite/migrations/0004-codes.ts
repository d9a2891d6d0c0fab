import type { DecisionCode, ResultCode } from "../../../domain/codes.ts";
import type { DeploymentState } from "../../../domain/deployment.ts";
import type { Decision } from "../../../domain/match.ts";
import { type Packed, unpack } from "../../body.ts";
import type { Connection } from "../connection.ts";
import tables from "./0004-codes.sql" with { type: "text" };

/**
 * Replaces the sentences of earlier versions with codes and references. Nothing else reads those sentences. Foreign keys
 * must be off, because the table `delivery` is rebuilt.
 */
export function addCodes(connection: Connection): void {
  connection.execute(`
    CREATE TEMP TABLE decided (id INTEGER PRIMARY KEY, reason TEXT, decisions TEXT, other_targets INTEGER NOT NULL)`);
  convertDecisionSets(connection);
  connection.execute(tables);
  connection.execute("DROP TABLE decided");
  linkRetries(connection);
  convertResults(connection);
}

type OldDecision = Omit<Decision, "code">;

function convertDecisionSets(connection: Connection): void {
  const select = connection.prepare<Packed & { id: number }>(
    "SELECT id, encoding, decisions AS bytes FROM decision_set",
  );
  const insert = connection.prepare<
    never,
    { id: number; reason: string | null; decisions: string | null; other_targets: number }
  >("INSERT INTO decided VALUES ($id, $reason, $decisions, $other_targets)");
  for (const { id, ...packed } of select.iterate({})) {
    const { decisions, reason } = JSON.parse(Buffer.from(unpack(packed)).toString()) as {
      decisions: readonly OldDecision[];
      reason: string | null;
    };
    const about = decisions.flatMap(addDecisionCode);
    insert.run({
      id,
      reason,
      decisions: about.length === 0 ? null : JSON.stringify(about),
      other_targets: decisions.length - about.length,
    });
  }
}

/** The decision with its code; none when the event was not about its target. */
function addDecisionCode({ target, deploy, reason }: OldDecision): readonly Decision[] {
  if (deploy || reason === null) return [{ target, deploy, code: null, reason }];
  const code = inferDecisionCode(reason);
  return code === null ? [] : [{ target, deploy, code, reason }];
}

/** Null for a reason that the event was not about the target: a ping, another event, another repository. */
function inferDecisionCode(reason: string): DecisionCode | null {
  if (reason.startsWith("locked by ")) return "locked";
  if (reason === "the commit's message asks to skip the deployment") return "skip_requested";
  // The name is payload text as a JSON string.
  const [, rest] = /^(?:branch|tag|ref) "(?:[^"\\]|\\.)*" (.*)$/s.exec(reason) ?? [];
  if (rest === undefined) return null;
  if (rest === "was deleted") return "deleted";
  return rest === "is not a tag" || rest.startsWith("does not match ") ? "tag" : "branch";
}

/** A retry was queued in the same millisecond in which the deployment that it repeats was interrupted. */
function linkRetries(connection: Connection): void {
  const selectInterrupted = connection.prepare<{ id: number }>(
    "SELECT id FROM deployment WHERE state = 'interrupted' ORDER BY id",
  );
  const link = connection.prepare<never, { id: number }>(`
    UPDATE deployment SET retry_of = $id WHERE id = (
      SELECT retry.id FROM deployment AS first CROSS JOIN deployment AS retry
        ON retry.target = first.target AND retry.id > first.id AND retry.created_at = first.ended_at
      WHERE first.id = $id AND retry.retry_of IS NULL AND retry.trigger = first.trigger
        AND retry.delivery IS first.delivery AND retry.pushed_commit IS first.pushed_commit
        AND retry.choice IS first.choice AND retry.chosen IS first.chosen
        AND retry.attempt - first.attempt IN (0, 1)
      ORDER BY retry.id LIMIT 1)`);
  for (const { id } of selectInterrupted.all({})) link.run({ id });
}

type Result = { code: ResultCode | null; reason: string | null; superseded_by: number | null };

function convertResults(connection: Connection): void {
  const select = connection.prepare<{ id: number; state: DeploymentState; reason: string }>(`
    SELECT id, state, reason FROM deployment
    WHERE reason IS NOT NULL AND (state = 'failed' OR state = 'cancelled' OR state = 'interrupted')`);
  const update = connection.prepare<never, Result & { id: number }>(`
    UPDATE deployment SET code = $code, reason = $reason, superseded_by = CASE
      WHEN EXISTS (SELECT 1 FROM deployment AS retry WHERE retry.retry_of = $id) THEN NULL ELSE $superseded_by END
    WHERE id = $id`);
  // Reads all rows first: SQLite may return a row again that is updated while it reads.
  for (const { id, state, reason } of select.all({})) {
    const result =
      state === "interrupted"
        ? inferInterruption(reason)
        : {
            ...(state === "cancelled" ? inferCancellation(reason) : inferFailure(reason)),
            superseded_by: null,
          };
    update.run({ id, ...result });
  }
}

/** Such as `hooklatch was stopped while it ran; release … is live again; deployment 7 follows it`. */
function inferInterruption(reason: string): Result {
  const [, killed, between = "", next] =
    /^hooklatch was (?:(killed, or the machine stopped,)|stopped) while it ran(?:; (.*?))??(?:; deployment (\d+) follows it)?$/s.exec(
      reason,
    ) ?? [];
  return {
    code: killed === undefined ? "shutdown" : "crash",
    reason: between === "" ? null : between,
    superseded_by: next === undefined ? null : Number(next),
  };
}

function inferCancellation(reason: string): Omit<Result, "superseded_by"> {
  if (/^target .* is no longer configured$/s.test(reason)) return { code: "not_configured", reason: null };
  const [, skipped] = /^skipped: (.*)$/s.exec(reason) ?? [];
  return skipped === undefined
    ? { code: "cancelled", reason }
    : { code: inferSkip(skipped), reason: skipped };
}

function inferSkip(reason: string): ResultCode {
  if (reason.startsWith("the tip's message says ")) return "skip_requested";
  return reason.startsWith("a person went back from ") ? "rolled_back" : "paths_unchanged";
}

/** How the reasons of failed deployments began. */
const FAILURES: readonly (readonly [RegExp, ResultCode])[] = [
  [/^step "/, "step_failed"],
  [/^timed out after /, "timeout"],
  [/^https?:\S+ (?:answered \d+|gave no answer) for /, "health_check_failed"],
  [/^branch \S+ does not exist in |^branch \S+ of .* has no commit|^no tag in /, "ref_missing"],
  [/^\S+ stands for more than one commit here/, "commit_ambiguous"],
  [/^commit \S+ has no valid signature/, "commit_not_signed"],
  [/^commit \S+ is not in /, "commit_missing"],
  [/^there is no release |^nothing is live to go back from/, "release_missing"],
  [/^the layout worktree keeps no releases/, "release_missing"],
  [/^git fetch /, "fetch_failed"],
  [/^git (?:worktree|checkout|clean|switch|submodule|lfs) /, "checkout_failed"],
  [/^git /, "git_failed"],
  [/^this repository keeps files in Git LFS/, "checkout_failed"],
  [/^shared path /, "shared_path_unusable"],
  [/^directory .* does not exist|^\S+ is not a symbolic link;/, "directory_unusable"],
  [/^\S+ has files in it and is not a git checkout/, "directory_unusable"],
  [/^(?:ENOSPC|EDQUOT)\b/, "disk_full"],
  [/^(?:EACCES|EPERM|EROFS|ENOTDIR)\b/, "directory_unusable"],
  [/^E[A-Z0-9]+: /, "system_error"],
  [/^internal error/, "internal_error"],
];

/** The code is null for an unknown reason. */
function inferFailure(reason: string): Omit<Result, "superseded_by"> {
  return { code: FAILURES.find(([pattern]) => pattern.test(reason))?.[1] ?? null, reason };
}
