import type { ApiDelivery, ApiDeliveryDetails, ApiReceipt } from "../../api/delivery.ts";
import { formatOutcome } from "./deployment.ts";
import { makePrintable } from "./sanitise.ts";
import { type Colour, colourOf, type Style, showTime } from "./style.ts";
import { type Column, type Field, formatFields, formatTable } from "./table.ts";

/** The columns of a list of deliveries. The last says why each target was deployed or not. */
export function describeDelivery(style: Style): readonly Column<ApiDelivery>[] {
  return [
    { heading: "ID", text: ({ id }) => String(id) },
    { heading: "RECEIVED", text: ({ received_at }) => showTime(received_at, style) },
    { heading: "SOURCE", text: ({ source }) => source },
    { heading: "EVENT", text: ({ event }) => event },
    { heading: "STATUS", text: ({ status }) => status, colour: ({ status }) => colourOf(status) },
    { heading: "CLIENT", text: ({ client }) => client },
    { heading: "WHAT HAPPENED", text: summarise, colour: colourOfOutcomes, isProse: true },
  ];
}

/** How many targets a line names. */
const MAX_NAMED = 10;

/** The outcome, target by target: those that were deployed first, then why the others were not. */
function summarise(delivery: ApiDelivery): string {
  const rows = listRows(delivery);
  const ordered = [...rows.filter(({ isQueued }) => isQueued), ...rows.filter(({ isQueued }) => !isQueued)];
  const parts = ordered.slice(0, MAX_NAMED).map(({ target, words }) => `${target}: ${words}`);
  if (rows.length > MAX_NAMED) parts.push(`and ${rows.length - MAX_NAMED} more targets`);
  const others = describeOthers(delivery);
  if (parts.length > 0 && others !== null) parts.push(others);
  const what = parts.length > 0 ? parts.join("; ") : explainNoTarget(delivery);
  const repeated = describeOrigin(delivery);
  return repeated === null ? what : `${what} (${repeated})`;
}

/** The targets that the event is not about; null where there are none. */
function describeOthers({ other_targets: others }: ApiDelivery): string | null {
  if (others === 0) return null;
  return others === 1 ? "not about 1 other target" : `not about ${others} other targets`;
}

/** Why the event is about no target. The reason names up to ten of them. */
function explainNoTarget({ event, source, reason }: ApiDelivery): string {
  if (reason !== null) return reason;
  return event === "ping" ? "a ping deploys nothing" : `stored; no target listens to source ${source}`;
}

/** The delivery that this one repeats; null where it is the first. */
function describeOrigin({ redelivery_of, replay_of }: ApiDelivery): string | null {
  if (replay_of !== null) return `replay of delivery ${replay_of}`;
  return redelivery_of === null ? null : `redelivery of delivery ${redelivery_of}`;
}

/** The outcome of a delivery at one target. */
interface Row {
  readonly target: string;
  /** Whether a deployment was queued. */
  readonly isQueued: boolean;
  readonly deployment: number | null;
  readonly state: string | null;
  /** Completes `blog: …`. */
  readonly words: string;
}

/** One row for each decision. A target that was locked and deployed later has a row for its deployment. */
function listRows({ decisions, outcomes }: ApiDelivery): readonly Row[] {
  const undecided = outcomes.filter(({ target }) =>
    decisions.every((decision) => decision.target !== target),
  );
  return [
    ...decisions.flatMap(({ target, deploy, reason }): readonly Row[] => {
      const own = outcomes.filter((outcome) => outcome.target === target);
      const before = deploy ? "" : ` (at first ${reason})`;
      if (own.length > 0) return own.map(toRow).map((row) => ({ ...row, words: `${row.words}${before}` }));
      const words = deploy ? "its deployment is no longer stored" : (reason ?? "not deployed");
      return [{ target, isQueued: deploy, deployment: null, state: null, words }];
    }),
    ...undecided.map(toRow),
  ];
}

function toRow(outcome: ApiDelivery["outcomes"][number]): Row {
  const { target, deployment, state } = outcome;
  return { target, isQueued: true, deployment, state, words: describeOutcome(outcome) };
}

/** `deployed by deployment 3`, `deployment 4 failed: …`, `deployment 5 was superseded: deployment 6 is newer`. */
function describeOutcome({ deployment, ...outcome }: ApiDelivery["outcomes"][number]): string {
  if (outcome.state !== "succeeded") return formatOutcome(deployment, outcome);
  return `deployed by deployment ${deployment}${outcome.reason === null ? "" : `: ${outcome.reason}`}`;
}

/** A replay's outcome: a line for each deployment, and why there are no others. */
export function formatReplay(id: number, { delivery, deployments = [], reason }: ApiReceipt): string {
  const replayed = `delivery ${id} is replayed as delivery ${delivery}`;
  const why = reason === undefined ? "" : makePrintable(reason);
  if (deployments.length === 0) return `${replayed}, which deploys nothing${why === "" ? "" : `: ${why}`}\n`;
  const queued = deployments.map(
    ({ id: deployment, target }) =>
      `${makePrintable(target)}: deployment ${deployment} is queued: hooklatch deployment log ${deployment} --follow shows it\n`,
  );
  return `${replayed}\n${queued.join("")}${why === "" ? "" : `not deployed: ${why}\n`}`;
}

/** The colour of the worst outcome. */
function colourOfOutcomes({ outcomes }: ApiDelivery): Colour | null {
  const colours = outcomes.map(({ state }) => colourOf(state));
  return (
    colours.find((one) => one === "red") ?? colours.find((one) => one === "yellow") ?? colours[0] ?? null
  );
}

/** A delivery with all its fields, but not its body. */
export function formatDelivery(delivery: ApiDeliveryDetails, style: Style): string {
  const rows = listRows(delivery);
  const others = describeOthers(delivery);
  const headers = Object.entries(delivery.headers).map(
    ([name, text]): Field => ({ name: `  ${name}`, text }),
  );
  return [
    formatFields(listFields(delivery, style), style),
    ...(rows.length > 0 ? [`\n${formatTable(ROW_COLUMNS, rows, style)}`] : []),
    ...(rows.length > 0 && others !== null ? [`${others}\n`] : []),
    ...(headers.length > 0 ? [`\nstored headers:\n${formatFields(headers, style)}`] : []),
    ...(style.isTty ? [`\n${suggestNext(delivery)}`] : []),
  ].join("");
}

function listFields(delivery: ApiDeliveryDetails, style: Style): readonly Field[] {
  const { id, source, event, status, received_at, client, provider_id } = delivery;
  return [
    { name: "delivery", text: String(id) },
    { name: "source", text: source },
    { name: "event", text: event },
    { name: "pushed", text: describePushed(delivery) },
    { name: "status", text: `${status}: ${explainStatus(delivery)}`, colour: colourOf(status) },
    { name: "received", text: showTime(received_at, style) },
    { name: "client", text: client },
    { name: "provider id", text: provider_id },
    { name: "repeats", text: describeOrigin(delivery) },
  ];
}

/** `octocat/blog refs/heads/main 0123…`. */
function describePushed({ pushed }: ApiDeliveryDetails): string | null {
  if (!pushed) return null;
  return `${pushed.repository} ${pushed.ref}${pushed.commit === null ? "" : ` ${pushed.commit}`}`;
}

/** The status as a sentence, with the reason where there is no table of targets below. */
function explainStatus(delivery: ApiDelivery): string {
  const { status, decisions, outcomes } = delivery;
  if (decisions.length + outcomes.length === 0) return explainNoTarget(delivery);
  if (outcomes.length > 0 && status === "skipped") return "a lock blocked it; see below for the outcome";
  if (outcomes.length > 0) return "deployments were queued; see below for their outcome";
  if (decisions.some(({ deploy }) => deploy)) return "deployments were queued, and are no longer stored";
  return "no target was deployed; see below for the reasons";
}

const ROW_COLUMNS: readonly Column<Row>[] = [
  { heading: "TARGET", text: ({ target }) => target },
  {
    heading: "DEPLOYED",
    text: describeDeployed,
    colour: ({ state }) => (state === null ? null : colourOf(state)),
  },
  { heading: "DEPLOYMENT", text: ({ deployment }) => (deployment === null ? null : String(deployment)) },
  { heading: "WHY, OR HOW IT WENT", text: ({ words }) => words, isProse: true, isWhole: true },
];

function describeDeployed({ isQueued, state }: Row): string {
  if (state === "succeeded") return "yes";
  if (state === "queued" || state === "running") return "not yet";
  return isQueued && state === null ? "unknown" : "no";
}

function suggestNext({ id, deployments }: ApiDelivery): string {
  const last = deployments.at(-1);
  const log = last === undefined ? "" : `hooklatch deployment log ${last} shows the deployment's output\n`;
  return `${log}hooklatch delivery show ${id} --body prints the payload; hooklatch delivery replay ${id} replays it\n`;
}
