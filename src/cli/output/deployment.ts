import type { ApiDeployment, ApiQueued } from "../../api/deployment.ts";
import { isSkipCode } from "../../domain/codes.ts";
import { formatElapsed } from "../../lib/duration.ts";
import { shortenCommit, toOneLine } from "../../lib/text.ts";
import { makePrintable } from "./sanitise.ts";
import { colourOf, formatTime, type Style } from "./style.ts";
import { type Column, type Field, formatFields, formatTable } from "./table.ts";

/** The columns of a list of deployments. With deployments on several hosts, one names the host. */
export function deploymentColumns(
  style: Style,
  deployments: readonly ApiDeployment[],
): readonly Column<ApiDeployment>[] {
  const hosts = new Set(deployments.map(({ host }) => host));
  const host: Column<ApiDeployment> = { heading: "HOST", text: (deployment) => deployment.host };
  return [
    { heading: "ID", text: ({ id }) => String(id) },
    { heading: "TARGET", text: ({ target }) => target },
    ...(hosts.size > 1 ? [host] : []),
    { heading: "STATE", text: ({ state }) => state, colour: ({ state }) => colourOf(state) },
    { heading: "TRIGGER", text: ({ trigger }) => trigger },
    { heading: "COMMIT", text: ({ commit, pushed_commit }) => shorten(commit ?? pushed_commit) },
    { heading: "CREATED", text: ({ created_at }) => formatTime(created_at, style) },
    { heading: "TOOK", text: describeDuration },
    { heading: "SUBJECT", text: ({ subject }) => subject && toOneLine(subject, MAX_SUBJECT) },
    { heading: "REASON", text: describeReason, prose: "short" },
  ];
}

/** Characters of a subject in a list. */
const MAX_SUBJECT = 50;

type Step = ApiDeployment["steps"][number];

const STEP_COLUMNS: readonly Column<Step>[] = [
  {
    heading: "EXIT",
    text: ({ exit_code, signal }) => signal ?? String(exit_code ?? "-"),
    colour: ({ exit_code }) => (exit_code === 0 ? "green" : "red"),
  },
  { heading: "TOOK", text: ({ milliseconds }) => formatElapsed(milliseconds) },
  { heading: "STEP", text: ({ command }) => command, prose: "whole" },
];

/** A deployment with all its fields and steps, and its host where it is one of several. */
export function formatDeployment(deployment: ApiDeployment, style: Style, isOneOfSeveral = false): string {
  const { id, steps } = deployment;
  const fields = formatFields(listFields(deployment, style, isOneOfSeveral), style);
  const table = steps.length > 0 ? `\n${formatTable(STEP_COLUMNS, steps, style)}` : "";
  const hint = style.isTty ? `\nShow its output: hooklatch deployment log ${id}\n` : "";
  return fields + table + hint;
}

function listFields(deployment: ApiDeployment, style: Style, isOneOfSeveral: boolean): readonly Field[] {
  const { host, waits_for } = deployment;
  const { id, target, state, delivery, branch, chosen, release, attempt, retry_of } = deployment;
  const { created_at, started_at, ended_at, pushed_commit, commit, subject, author, commit_url } = deployment;
  const time = (text: string | null) => (text === null ? null : formatTime(text, style));
  const took = describeDuration(deployment);
  return [
    { name: "deployment", text: String(id) },
    { name: "target", text: target },
    { name: "host", text: isOneOfSeveral ? host : null },
    { name: "after", text: waits_for === null ? null : `deployment ${waits_for}, on the host before it` },
    { name: "state", text: state, colour: colourOf(state) },
    { name: "reason", text: describeReason(deployment) },
    { name: "trigger", text: describeTrigger(deployment) },
    {
      name: "delivery",
      text: delivery === null ? null : `${delivery} (hooklatch delivery show ${delivery})`,
    },
    { name: "retry of", text: retry_of === null ? null : `deployment ${retry_of}, which was interrupted` },
    { name: "attempt", text: attempt > 1 ? `${attempt} (a crash interrupted the previous one)` : null },
    { name: "branch", text: branch },
    { name: "requested", text: chosen },
    { name: "commit", text: describeCommits(deployment) },
    { name: "subject", text: subject },
    { name: "author", text: author },
    { name: "link", text: commit_url },
    { name: "pushed", text: pushed_commit === commit ? null : pushed_commit },
    { name: "release", text: release },
    { name: "created", text: time(created_at) },
    { name: "started", text: time(started_at) },
    { name: "ended", text: took === null ? time(ended_at) : `${time(ended_at)}, took ${took}` },
  ];
}

/** The state of a skipped deployment is `cancelled`; the prefix shows that no person cancelled it. */
function describeReason({ code, reason }: Pick<Outcome, "code" | "reason">): string | null {
  return isSkipCode(code) && reason !== null ? `skipped: ${reason}` : reason;
}

const TRIGGERS: Readonly<Record<string, string>> = {
  ci: "CI of the commit succeeded",
  release: "a release was published",
  event: "another event that the target deploys",
  redelivery: "the sender repeated the delivery on request",
  replay: "a stored delivery was replayed",
  "catch-up": "the branch had moved without a delivery",
  manual: "requested by a person",
  rollback: "a person rolled back to an earlier release",
};

function describeTrigger({ trigger }: ApiDeployment): string {
  const meaning = TRIGGERS[trigger];
  return meaning === undefined ? trigger : `${trigger}: ${meaning}`;
}

/** `1111… -> 2222…`: the commit that was live before, and the deployed one. */
function describeCommits({ previous_commit, commit }: ApiDeployment): string | null {
  if (commit === null) return null;
  return previous_commit === null ? `${commit} (nothing was live before)` : `${previous_commit} -> ${commit}`;
}

function describeDuration({ started_at, ended_at }: ApiDeployment): string | null {
  if (started_at === null || ended_at === null) return null;
  return formatElapsed(Date.parse(ended_at) - Date.parse(started_at));
}

function shorten(commit: string | null): string | null {
  return commit === null ? null : shortenCommit(commit);
}

/** The state of a deployment as the API reports it. */
interface Outcome {
  readonly state: string;
  readonly code: string | null;
  readonly reason: string | null;
}

/** The state of a deployment as a sentence, such as `deployment 12 failed: step "npm test" exited with 1`. */
export function formatOutcome(id: number, { state, code, reason }: Outcome): string {
  // The reason is `cancelled by <name>`.
  if (code === "cancelled" && reason !== null) return `deployment ${id} was ${reason}`;
  const verb = isSkipCode(code) ? "was skipped" : (VERBS[state] ?? `is ${state}`);
  return `deployment ${id} ${verb}${reason === null ? "" : `: ${reason}`}`;
}

const VERBS: Readonly<Record<string, string>> = {
  succeeded: "succeeded",
  failed: "failed",
  superseded: "was superseded",
  cancelled: "was cancelled",
  interrupted: "was interrupted",
};

/** Reports a new deployment and the command that shows it. */
export function formatQueued(id: number): string {
  return `deployment ${id} is queued; follow it with: hooklatch deployment log ${id} --follow`;
}

/** Reports the new deployments of a request, one for each host, and the command that shows one. */
export function formatQueuedOnHosts({ deployment, deployments }: ApiQueued): string {
  if (deployments.length < 2) return formatQueued(deployment);
  const list = deployments.map(({ id, host }) => `${id} on ${makePrintable(host)}`).join(", ");
  return `deployments are queued: ${list}; follow one with: hooklatch deployment log ${deployment} --follow`;
}
