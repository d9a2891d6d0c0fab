import type { ApiDeployment } from "../../api/deployment.ts";
import { isSkipCode } from "../../domain/codes.ts";
import { formatElapsed } from "../../lib/duration.ts";
import { shortenCommit } from "../../lib/text.ts";
import { colourOf, type Style, showTime } from "./style.ts";
import { type Column, type Field, formatFields, formatTable } from "./table.ts";

/** The columns of a list of deployments. */
export function describeDeployment(style: Style): readonly Column<ApiDeployment>[] {
  return [
    { heading: "ID", text: ({ id }) => String(id) },
    { heading: "TARGET", text: ({ target }) => target },
    { heading: "STATE", text: ({ state }) => state, colour: ({ state }) => colourOf(state) },
    { heading: "TRIGGER", text: ({ trigger }) => trigger },
    { heading: "COMMIT", text: ({ commit, pushed_commit }) => shorten(commit ?? pushed_commit) },
    { heading: "CREATED", text: ({ created_at }) => showTime(created_at, style) },
    { heading: "TOOK", text: describeDuration },
    { heading: "REASON", text: describeReason, isProse: true },
  ];
}

/** A deployment with all its fields and steps. */
export function formatDeployment(deployment: ApiDeployment, style: Style): string {
  const { id, steps } = deployment;
  const fields = formatFields(listFields(deployment, style), style);
  const table = formatTable(STEP_COLUMNS, steps, style);
  const hint = `\nhooklatch deployment log ${id} shows its output\n`;
  return `${fields}${steps.length > 0 ? `\n${table}` : ""}${style.isTty ? hint : ""}`;
}

function listFields(deployment: ApiDeployment, style: Style): readonly Field[] {
  const { id, target, state, delivery, branch, chosen, release, attempt, retry_of } = deployment;
  const { created_at, started_at, ended_at } = deployment;
  const time = (text: string | null) => (text === null ? null : showTime(text, style));
  const took = describeDuration(deployment);
  return [
    { name: "deployment", text: String(id) },
    { name: "target", text: target },
    { name: "state", text: state, colour: colourOf(state) },
    { name: "reason", text: describeReason(deployment) },
    { name: "trigger", text: describeTrigger(deployment) },
    {
      name: "delivery",
      text: delivery === null ? null : `${delivery} (hooklatch delivery show ${delivery})`,
    },
    { name: "retry of", text: retry_of === null ? null : `deployment ${retry_of}, which was interrupted` },
    { name: "attempt", text: attempt > 1 ? `${attempt}: a crash interrupted the one before` : null },
    { name: "branch", text: branch },
    { name: "chosen", text: chosen },
    { name: "commit", text: describeCommits(deployment) },
    { name: "pushed", text: describePushed(deployment) },
    { name: "release", text: release },
    { name: "created", text: time(created_at) },
    { name: "started", text: time(started_at) },
    {
      name: "ended",
      text: ended_at === null ? null : `${showTime(ended_at, style)}${took === null ? "" : `, took ${took}`}`,
    },
  ];
}

/** The state of a skipped deployment is `cancelled`; its reason says that nobody cancelled it. */
function describeReason({ code, reason }: Pick<Outcome, "code" | "reason">): string | null {
  return isSkipCode(code) && reason !== null ? `skipped: ${reason}` : reason;
}

function describeTrigger({ trigger }: ApiDeployment): string {
  const words = TRIGGERS[trigger];
  return words === undefined ? trigger : `${trigger}: ${words}`;
}

const TRIGGERS: Readonly<Record<string, string>> = {
  redelivery: "a person had the sender repeat the delivery",
  replay: "a person replayed a stored delivery",
  "catch-up": "the branch moved while the server did not listen",
  manual: "a person asked for it",
  rollback: "a person rolled back to an earlier release",
};

/** `1111… -> 2222…`: the commit that was live before, and the deployed one. */
function describeCommits({ previous_commit, commit }: ApiDeployment): string | null {
  if (commit === null) return null;
  return previous_commit === null ? `${commit} (nothing was live before)` : `${previous_commit} -> ${commit}`;
}

/** The commit that the delivery named, where another was deployed. */
function describePushed({ pushed_commit, commit }: ApiDeployment): string | null {
  return pushed_commit === commit ? null : pushed_commit;
}

function describeDuration({ started_at, ended_at }: ApiDeployment): string | null {
  if (started_at === null || ended_at === null) return null;
  return formatElapsed(Date.parse(ended_at) - Date.parse(started_at));
}

function shorten(commit: string | null): string | null {
  return commit === null ? null : shortenCommit(commit);
}

type Step = ApiDeployment["steps"][number];

const STEP_COLUMNS: readonly Column<Step>[] = [
  {
    heading: "EXIT",
    text: ({ exit_code, signal }) => signal ?? String(exit_code ?? "-"),
    colour: ({ exit_code }) => (exit_code === 0 ? "green" : "red"),
  },
  { heading: "TOOK", text: ({ milliseconds }) => formatElapsed(milliseconds) },
  { heading: "STEP", text: ({ command }) => command, isProse: true, isWhole: true },
];

/** A deployment's state, or its end, as the API reports it. */
interface Outcome {
  readonly state: string;
  readonly code: string | null;
  readonly reason: string | null;
}

/** A deployment's outcome as a sentence: `deployment 12 failed: step "npm test" exited with 1`. */
export function formatOutcome(id: number, { state, code, reason }: Outcome): string {
  // The reason names who cancelled it.
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
