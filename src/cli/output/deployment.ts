import { formatElapsed } from "../../lib/duration.ts";
import { shortenCommit } from "../../lib/text.ts";
import type { DeploymentAnswer } from "../api/shapes.ts";
import { colourOf, type Style, showTime } from "./style.ts";
import { type Column, type Field, formatFields, formatTable } from "./table.ts";

/** The columns of a list of deployments. */
export function describeDeployment(look: Style): readonly Column<DeploymentAnswer>[] {
  return [
    { heading: "ID", text: ({ id }) => String(id) },
    { heading: "TARGET", text: ({ target }) => target },
    { heading: "STATE", text: ({ state }) => state, colour: ({ state }) => colourOf(state) },
    { heading: "TRIGGER", text: ({ trigger }) => trigger },
    { heading: "COMMIT", text: ({ commit, pushed_commit }) => shorten(commit ?? pushed_commit) },
    { heading: "CREATED", text: ({ created_at }) => showTime(created_at, look) },
    { heading: "TOOK", text: tellDuration },
    { heading: "REASON", text: ({ reason }) => reason, isProse: true },
  ];
}

/** All of one deployment. */
export function formatDeployment(deployment: DeploymentAnswer, look: Style): string {
  const { id, steps } = deployment;
  const fields = formatFields(listFields(deployment, look), look);
  const table = formatTable(STEP_COLUMNS, steps, look);
  const hint = `\nhooklatch deployment log ${id} shows what it printed\n`;
  return `${fields}${steps.length > 0 ? `\n${table}` : ""}${look.isTty ? hint : ""}`;
}

function listFields(deployment: DeploymentAnswer, look: Style): readonly Field[] {
  const { id, target, state, reason, delivery, branch, chosen, release, attempt } = deployment;
  const { created_at, started_at, ended_at } = deployment;
  const time = (text: string | null) => (text === null ? null : showTime(text, look));
  const took = tellDuration(deployment);
  return [
    { name: "deployment", text: String(id) },
    { name: "target", text: target },
    { name: "state", text: state, colour: colourOf(state) },
    { name: "reason", text: reason },
    { name: "trigger", text: describeTrigger(deployment) },
    {
      name: "delivery",
      text: delivery === null ? null : `${delivery} (hooklatch delivery show ${delivery})`,
    },
    { name: "attempt", text: attempt > 1 ? `${attempt}: the server stopped amid the one before` : null },
    { name: "branch", text: branch },
    { name: "chosen", text: chosen },
    { name: "commit", text: describeCommits(deployment) },
    { name: "pushed", text: describePushed(deployment) },
    { name: "release", text: release },
    { name: "created", text: time(created_at) },
    { name: "started", text: time(started_at) },
    {
      name: "ended",
      text: ended_at === null ? null : `${showTime(ended_at, look)}${took === null ? "" : `, took ${took}`}`,
    },
  ];
}

function describeTrigger({ trigger }: DeploymentAnswer): string {
  const words = TRIGGERS[trigger];
  return words === undefined ? trigger : `${trigger}: ${words}`;
}

const TRIGGERS: Readonly<Record<string, string>> = {
  redelivery: "the sender was told to send it again",
  replay: "a kept delivery was run again",
  "catch-up": "the branch moved while the server did not listen",
  manual: "a person asked for it",
  rollback: "a person went back to an earlier release",
};

/** `1111… -> 2222…`: what was live before and what it deployed. */
function describeCommits({ previous_commit, commit }: DeploymentAnswer): string | null {
  if (commit === null) return null;
  return previous_commit === null ? `${commit} (nothing was live before)` : `${previous_commit} -> ${commit}`;
}

/** The commit that the delivery told, where it is not what was deployed. */
function describePushed({ pushed_commit, commit }: DeploymentAnswer): string | null {
  return pushed_commit === commit ? null : pushed_commit;
}

function tellDuration({ started_at, ended_at }: DeploymentAnswer): string | null {
  if (started_at === null || ended_at === null) return null;
  return formatElapsed(Date.parse(ended_at) - Date.parse(started_at));
}

function shorten(commit: string | null): string | null {
  return commit === null ? null : shortenCommit(commit);
}

type Step = DeploymentAnswer["steps"][number];

const STEP_COLUMNS: readonly Column<Step>[] = [
  {
    heading: "EXIT",
    text: ({ exit_code, signal }) => signal ?? String(exit_code ?? "-"),
    colour: ({ exit_code }) => (exit_code === 0 ? "green" : "red"),
  },
  { heading: "TOOK", text: ({ milliseconds }) => formatElapsed(milliseconds) },
  { heading: "STEP", text: ({ command }) => command, isProse: true, isWhole: true },
];

/** How a deployment stands or ended, as the API tells it. */
interface Outcome {
  readonly state: string;
  readonly reason: string | null;
}

/** What became of a deployment, as a sentence: `deployment 12 failed: step "npm test" exited with 1`. */
export function formatOutcome(id: number, { state, reason }: Outcome): string {
  // Cancelled is what both are called, but nobody did the first, and the second names who did.
  if (state === "cancelled" && /^(?:skipped: |cancelled by )/.test(reason ?? "")) {
    return `deployment ${id} was ${reason}`;
  }
  return `deployment ${id} ${VERBS[state] ?? `is ${state}`}${reason === null ? "" : `: ${reason}`}`;
}

const VERBS: Readonly<Record<string, string>> = {
  succeeded: "succeeded",
  failed: "failed",
  superseded: "was superseded",
  cancelled: "was cancelled",
  interrupted: "was interrupted",
};
