import type { DeliveryAnswer, ReplayedAnswer } from "../api/shapes.ts";
import { formatOutcome } from "./deployment.ts";
import { makePrintable } from "./sanitise.ts";
import { type Colour, colourOf, type Style, showTime } from "./style.ts";
import { type Column, type Field, formatFields, formatTable } from "./table.ts";

/** The columns of a list of deliveries: the last tells why a push was, or was not, deployed. */
export function describeDelivery(look: Style): readonly Column<DeliveryAnswer>[] {
  return [
    { heading: "ID", text: ({ id }) => String(id) },
    { heading: "RECEIVED", text: ({ received_at }) => showTime(received_at, look) },
    { heading: "SOURCE", text: ({ source }) => source },
    { heading: "EVENT", text: ({ event }) => event },
    { heading: "STATUS", text: ({ status }) => status, colour: ({ status }) => colourOf(status) },
    { heading: "CLIENT", text: ({ client }) => client },
    { heading: "WHAT HAPPENED", text: tellWhatHappened, colour: colourOfOutcomes, isProse: true },
  ];
}

/** How many targets a line names. */
const MOST_NAMED = 10;

/** What a delivery led to, target by target: what was deployed first, then why the others were not. */
function tellWhatHappened(delivery: DeliveryAnswer): string {
  const rows = listRows(delivery);
  const told = [...rows.filter(({ asked }) => asked), ...rows.filter(({ asked }) => !asked)];
  const parts = told.slice(0, MOST_NAMED).map(({ target, words }) => `${target}: ${words}`);
  if (told.length > MOST_NAMED) parts.push(`and ${told.length - MOST_NAMED} other targets`);
  const what = parts.length > 0 ? parts.join("; ") : tellWithoutTargets(delivery);
  const again = tellAgain(delivery);
  return again === null ? what : `${what} (${again})`;
}

function tellWithoutTargets({ event, source, reason }: DeliveryAnswer): string {
  if (reason !== null) return reason;
  return event === "ping" ? "a ping deploys nothing" : `kept; no target listens to source ${source}`;
}

/** How it came a second time; null when it did not. */
function tellAgain({ redelivery_of, replay_of }: DeliveryAnswer): string | null {
  if (replay_of !== null) return `replay of delivery ${replay_of}`;
  return redelivery_of === null ? null : `delivery ${redelivery_of} sent again`;
}

/** What became of a delivery at one target. */
interface Row {
  readonly target: string;
  /** Whether a deployment was asked for. */
  readonly asked: boolean;
  readonly deployment: number | null;
  readonly state: string | null;
  /** Completes `blog: …`. */
  readonly words: string;
}

/** One row a decision; a target that was locked and is deployed since has its deployment's. */
function listRows({ decisions, outcomes }: DeliveryAnswer): readonly Row[] {
  const undecided = outcomes.filter(({ target }) =>
    decisions.every((decision) => decision.target !== target),
  );
  return [
    ...decisions.flatMap(({ target, deploy, reason }): readonly Row[] => {
      const own = outcomes.filter((outcome) => outcome.target === target);
      // It was locked when it came, and unlocking deployed it.
      const before = deploy ? "" : ` (at first ${reason})`;
      if (own.length > 0) return own.map(toRow).map((row) => ({ ...row, words: `${row.words}${before}` }));
      const words = deploy ? "its deployment is no longer kept" : (reason ?? "not deployed");
      return [{ target, asked: deploy, deployment: null, state: null, words }];
    }),
    ...undecided.map(toRow),
  ];
}

function toRow(outcome: DeliveryAnswer["outcomes"][number]): Row {
  const { target, deployment, state } = outcome;
  return { target, asked: true, deployment, state, words: tellRow(outcome) };
}

/** `deployed by deployment 3`, `deployment 4 failed: …`, `deployment 5 was superseded: deployment 6 is newer`. */
function tellRow({ deployment, ...outcome }: DeliveryAnswer["outcomes"][number]): string {
  if (outcome.state !== "succeeded") return formatOutcome(deployment, outcome);
  return `deployed by deployment ${deployment}${outcome.reason === null ? "" : `: ${outcome.reason}`}`;
}

/** What a replay led to: a line for each deployment, and why there are no others. */
export function formatReplay(id: number, { delivery, deployments = [], reason }: ReplayedAnswer): string {
  const kept = `delivery ${id} is run again as delivery ${delivery}`;
  const why = reason === undefined ? "" : makePrintable(reason);
  if (deployments.length === 0) return `${kept}, which deploys nothing${why === "" ? "" : `: ${why}`}\n`;
  const queued = deployments.map(
    ({ id: deployment, target }) =>
      `${makePrintable(target)}: deployment ${deployment} is queued: hooklatch deployment log ${deployment} --follow shows it\n`,
  );
  return `${kept}\n${queued.join("")}${why === "" ? "" : `not deployed: ${why}\n`}`;
}

/** The worst of what became of it. */
function colourOfOutcomes({ outcomes }: DeliveryAnswer): Colour | null {
  const colours = outcomes.map(({ state }) => colourOf(state));
  return (
    colours.find((one) => one === "red") ?? colours.find((one) => one === "yellow") ?? colours[0] ?? null
  );
}

/** All of one delivery but its body. */
export function formatDelivery(delivery: DeliveryAnswer, look: Style): string {
  const rows = listRows(delivery);
  const headers = Object.entries(delivery.headers).map(
    ([name, text]): Field => ({ name: `  ${name}`, text }),
  );
  return [
    formatFields(listFields(delivery, look), look),
    ...(rows.length > 0 ? [`\n${formatTable(ROW_COLUMNS, rows, look)}`] : []),
    ...(headers.length > 0 ? [`\nheaders that are kept:\n${formatFields(headers, look)}`] : []),
    ...(look.isTty ? [`\n${suggestMore(delivery)}`] : []),
  ].join("");
}

function listFields(delivery: DeliveryAnswer, look: Style): readonly Field[] {
  const { id, source, event, status, received_at, client, provider_id } = delivery;
  return [
    { name: "delivery", text: String(id) },
    { name: "source", text: source },
    { name: "event", text: event },
    { name: "pushed", text: tellPushed(delivery) },
    { name: "status", text: `${status}: ${explainStatus(delivery)}`, colour: colourOf(status) },
    { name: "received", text: showTime(received_at, look) },
    { name: "client", text: client },
    { name: "provider id", text: provider_id },
    { name: "repeats", text: tellAgain(delivery) },
  ];
}

/** `octocat/blog refs/heads/main 0123…`: what somebody looks for who looks for a push. */
function tellPushed({ pushed }: DeliveryAnswer): string | null {
  if (!pushed) return null;
  return `${pushed.repository} ${pushed.ref}${pushed.commit === null ? "" : ` ${pushed.commit}`}`;
}

/** The status in whole words, with the reason where no table below tells it. */
function explainStatus(delivery: DeliveryAnswer): string {
  const { status, decisions, outcomes } = delivery;
  if (decisions.length + outcomes.length === 0) return tellWithoutTargets(delivery);
  if (outcomes.length > 0 && status === "skipped") return "a lock held it back; below is what became of it";
  if (outcomes.length > 0) return "deployments were asked for; below is what became of them";
  if (decisions.some(({ deploy }) => deploy)) return "deployments were asked for, and are no longer kept";
  return status === "pong" ? "a ping deploys nothing" : "no target was deployed; below is why";
}

const ROW_COLUMNS: readonly Column<Row>[] = [
  { heading: "TARGET", text: ({ target }) => target },
  {
    heading: "DEPLOYED",
    text: tellDeployed,
    colour: ({ state }) => (state === null ? null : colourOf(state)),
  },
  { heading: "DEPLOYMENT", text: ({ deployment }) => (deployment === null ? null : String(deployment)) },
  { heading: "WHY, OR HOW IT WENT", text: ({ words }) => words, isProse: true, isWhole: true },
];

function tellDeployed({ asked, state }: Row): string {
  if (state === "succeeded") return "yes";
  if (state === "queued" || state === "running") return "not yet";
  return asked && state === null ? "unknown" : "no";
}

function suggestMore({ id, deployments }: DeliveryAnswer): string {
  const last = deployments.at(-1);
  const log =
    last === undefined ? "" : `hooklatch deployment log ${last} shows what the deployment printed\n`;
  return `${log}hooklatch delivery show ${id} --body prints the payload; hooklatch delivery replay ${id} runs it again\n`;
}
