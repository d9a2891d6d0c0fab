import type { ApiDelivery, ApiDeliveryDetails, ApiReceipt } from "../../api/delivery.ts";
import type { ApiRefusal } from "../../api/refusal.ts";
import { formatOutcome, formatQueued } from "./deployment.ts";
import { makePrintable } from "./sanitise.ts";
import { type Colour, colourOf, formatTime, type Style } from "./style.ts";
import { type Column, type Field, formatFields, formatTable } from "./table.ts";

/** The columns of a list of deliveries. */
export function deliveryColumns(style: Style): readonly Column<ApiDelivery>[] {
  return [
    { heading: "ID", text: ({ id }) => String(id) },
    { heading: "RECEIVED", text: ({ received_at }) => formatTime(received_at, style) },
    { heading: "SOURCE", text: ({ source }) => source },
    { heading: "EVENT", text: describeEvent },
    { heading: "STATUS", text: ({ status }) => status, colour: ({ status }) => colourOf(status) },
    { heading: "CLIENT", text: ({ client }) => client },
    { heading: "RESULT", text: summarise, colour: worstColour, prose: "short" },
  ];
}

/** The event by the sender's name, such as `release.published`. */
function describeEvent({ event, event_name, action }: ApiDelivery): string {
  const name = event_name ?? event;
  return action === null ? name : `${name}.${action}`;
}

/** The columns of a list of refused requests. */
export function refusalColumns(style: Style): readonly Column<ApiRefusal>[] {
  return [
    { heading: "TIME", text: ({ time }) => formatTime(time, style) },
    { heading: "SOURCE", text: ({ source }) => source },
    { heading: "CLIENT", text: ({ client }) => client ?? "unknown" },
    { heading: "CODE", text: ({ code }) => code },
    { heading: "PROVIDER ID", text: ({ provider_id }) => provider_id },
    { heading: "REASON", text: ({ reason }) => reason, prose: "whole" },
    { heading: "HINT", text: ({ hint }) => hint, prose: "whole" },
  ];
}

/** Targets that a row of the list names. */
const MAX_NAMED = 10;

/** The result for each target, the deployed ones first. */
function summarise(delivery: ApiDelivery): string {
  const results = listResults(delivery);
  const ordered = [
    ...results.filter(({ isQueued }) => isQueued),
    ...results.filter(({ isQueued }) => !isQueued),
  ];
  const parts = ordered.slice(0, MAX_NAMED).map(({ target, text }) => `${target}: ${text}`);
  if (results.length > MAX_NAMED) parts.push(`and ${results.length - MAX_NAMED} more targets`);
  const others = describeOthers(delivery);
  if (parts.length > 0 && others !== null) parts.push(others);
  const summary = parts.length > 0 ? parts.join("; ") : explainNoTarget(delivery);
  const origin = describeOrigin(delivery);
  return origin === null ? summary : `${summary} (${origin})`;
}

/** The number of targets that the event is not about; null for none. */
function describeOthers({ other_targets: others }: ApiDelivery): string | null {
  return others === 0 ? null : `not about ${others} other target${others === 1 ? "" : "s"}`;
}

/** Why the event is about no target. The reason names up to ten targets. */
function explainNoTarget({ event, source, reason }: ApiDelivery): string {
  if (reason !== null) return reason;
  return event === "ping" ? "a ping deploys nothing" : `stored; no target uses source ${source}`;
}

/** The reasons that the table of results does not have: those of targets that the event is not about. */
function explainOthers(delivery: ApiDelivery): string | null {
  const { decisions, outcomes, other_targets, reason } = delivery;
  if (decisions.length + outcomes.length === 0) return explainNoTarget(delivery);
  return other_targets === 0 ? null : reason;
}

/** The delivery that this one repeats; null for none. */
function describeOrigin({ redelivery_of, replay_of }: ApiDelivery): string | null {
  if (replay_of !== null) return `replay of delivery ${replay_of}`;
  return redelivery_of === null ? null : `redelivery of delivery ${redelivery_of}`;
}

/** The result of a delivery for one target. */
interface Result {
  readonly target: string;
  /** Whether a deployment was queued. */
  readonly isQueued: boolean;
  readonly deployment: number | null;
  readonly state: string | null;
  readonly text: string;
}

/** One result per decision. A target that was locked and deployed later has the result of its deployment. */
function listResults({ decisions, outcomes }: ApiDelivery): readonly Result[] {
  const decided = decisions.flatMap(({ target, deploy, reason }): readonly Result[] => {
    const own = outcomes.filter((outcome) => outcome.target === target).map(toResult);
    if (own.length > 0) {
      return deploy ? own : own.map((result) => ({ ...result, text: `${result.text} (at first ${reason})` }));
    }
    const text = deploy ? "the deployment is no longer stored" : (reason ?? "not deployed");
    return [{ target, isQueued: deploy, deployment: null, state: null, text }];
  });
  const targets = new Set(decisions.map(({ target }) => target));
  return [...decided, ...outcomes.filter(({ target }) => !targets.has(target)).map(toResult)];
}

function toResult({ target, deployment, ...outcome }: ApiDelivery["outcomes"][number]): Result {
  const { state, reason } = outcome;
  const text =
    state === "succeeded"
      ? `deployed by deployment ${deployment}${reason === null ? "" : `: ${reason}`}`
      : formatOutcome(deployment, outcome);
  return { target, isQueued: true, deployment, state, text };
}

function worstColour({ outcomes }: ApiDelivery): Colour | null {
  const colours = outcomes.map(({ state }) => colourOf(state));
  return (["red", "yellow"] as const).find((colour) => colours.includes(colour)) ?? colours[0] ?? null;
}

const RESULT_COLUMNS: readonly Column<Result>[] = [
  { heading: "TARGET", text: ({ target }) => target },
  { heading: "DEPLOYMENT", text: ({ deployment }) => (deployment === null ? null : String(deployment)) },
  {
    heading: "RESULT",
    text: ({ text }) => text,
    colour: ({ state }) => (state === null ? null : colourOf(state)),
    prose: "whole",
  },
];

/** A delivery with all its fields except the body. */
export function formatDelivery(delivery: ApiDeliveryDetails, style: Style): string {
  const results = listResults(delivery);
  const others = describeOthers(delivery);
  const headers = Object.entries(delivery.headers).map(([name, text]) => ({ name: `  ${name}`, text }));
  return [
    formatFields(listFields(delivery, style), style),
    ...(results.length > 0 ? [`\n${formatTable(RESULT_COLUMNS, results, style)}`] : []),
    ...(results.length > 0 && others !== null ? [`${others}\n`] : []),
    ...(headers.length > 0 ? [`\nStored headers:\n${formatFields(headers, style)}`] : []),
    ...(style.isTty ? [`\n${suggestCommands(delivery)}`] : []),
  ].join("");
}

function listFields(delivery: ApiDeliveryDetails, style: Style): readonly Field[] {
  const { id, source, status, received_at, client, provider_id, pushes, ci } = delivery;
  return [
    { name: "delivery", text: String(id) },
    { name: "source", text: source },
    { name: "event", text: describeEvent(delivery) },
    ...pushes.map(({ repository, ref, commit }) => ({
      name: "pushed",
      text: `${repository} ${ref} ${commit ?? ""}`.trimEnd(),
    })),
    { name: "ci", text: ci && `${ci.repository} ${ci.commit} ${ci.workflow ?? "CI"}: ${ci.outcome}` },
    { name: "status", text: status, colour: colourOf(status) },
    { name: "reason", text: explainOthers(delivery) },
    { name: "received", text: formatTime(received_at, style) },
    { name: "client", text: client },
    { name: "provider id", text: provider_id },
    { name: "repeats", text: describeOrigin(delivery) },
  ];
}

function suggestCommands({ id, deployments }: ApiDelivery): string {
  const last = deployments.at(-1);
  return [
    ...(last === undefined ? [] : [`Show the output: hooklatch deployment log ${last}\n`]),
    `Show the payload: hooklatch delivery show ${id} --body\n`,
    `Replay it: hooklatch delivery replay ${id}\n`,
  ].join("");
}

/** The result of a replay: one line per deployment, and why other targets are not deployed. */
export function formatReplay(id: number, { delivery, deployments = [], reason }: ApiReceipt): string {
  const replayed = `delivery ${id} replayed as delivery ${delivery}`;
  const why = reason === undefined ? "" : `: ${makePrintable(reason)}`;
  if (deployments.length === 0) return `${replayed}; it deploys nothing${why}\n`;
  const queued = deployments.map(
    (deployment) => `${makePrintable(deployment.target)}: ${formatQueued(deployment.id)}\n`,
  );
  return `${replayed}\n${queued.join("")}${why === "" ? "" : `not deployed${why}\n`}`;
}
