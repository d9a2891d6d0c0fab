import { toApiEnd, toApiResult } from "../api/deployment.ts";
import { type Deployment, hasEnded } from "../domain/deployment.ts";
import type { Source } from "../domain/source.ts";
import type { AcceptOutcome } from "../flow/accept-delivery.ts";
import { awaitDeployments } from "../flow/await-deployments.ts";
import { followOutput } from "../flow/follow.ts";
import type { FlowServices } from "../flow/services.ts";
import { RESPONSE_HEADERS, respond, toReceiptResponse } from "./responses.ts";
import { acceptsEventStream, respondWithEventStream, type StreamedEvent } from "./sse.ts";

/** The services that an answer uses. */
export interface AnswerServices extends Pick<FlowServices, "store" | "eventBus" | "clock" | "log"> {
  /** Aborted when the server stops: no answer waits any longer. */
  readonly closing: AbortSignal;
}

/** The response to an accepted delivery, and its `status` word. */
export interface AnsweredDelivery {
  readonly response: Response;
  readonly status: string;
}

/** How many responses may wait at once. Further ones are sent without waiting. */
const MAX_WAITING = 1000;

/** In bytes, of each deployment. */
const MAX_OUTPUT = 16 * 1024;

let waiting = 0;

/**
 * Responds to a delivery that is stored already: at once, with the fixed answer of its source, or when its deployments
 * have ended. A sender that disconnects meanwhile changes nothing.
 */
export function answerDelivery(
  { answer }: Source,
  outcome: AcceptOutcome,
  request: Request,
  services: AnswerServices,
): AnsweredDelivery | Promise<AnsweredDelivery> {
  const { code, receipt } = toReceiptResponse(outcome);
  const { status } = receipt;
  if (answer.kind === "fixed") return { response: respondFixed(answer), status };
  const ids = outcome.kind === "stored" ? outcome.receipt.deployments.map(({ id }) => id) : [];
  if (answer.kind === "receipt" || ids.length === 0) return { response: respond(code, receipt), status };
  if (acceptsEventStream(request.headers)) {
    const open = (_lastId: number | null, signal: AbortSignal) =>
      streamDeployments(receipt, ids, services, signal);
    return { response: respondWithEventStream(open, { ...services, request }), status };
  }
  if (waiting >= MAX_WAITING) return { response: respond(code, receipt), status };
  return answerWithResults(receipt, ids, answer.milliseconds, request, services);
}

/** Waits for the deployments to end. */
async function answerWithResults(
  receipt: Receipt,
  ids: readonly number[],
  milliseconds: number,
  request: Request,
  services: AnswerServices,
): Promise<AnsweredDelivery> {
  waiting += 1;
  try {
    const signal = AbortSignal.any([services.closing, request.signal]);
    const deployments = await awaitDeployments(ids, milliseconds, services, signal);
    return await respondWithResults(receipt, deployments, services);
  } finally {
    waiting -= 1;
  }
}

function respondFixed({ status, headers, body }: Extract<Source["answer"], { kind: "fixed" }>): Response {
  const all = new Headers({ ...RESPONSE_HEADERS, "content-type": "text/plain; charset=utf-8" });
  for (const [name, value] of Object.entries(headers)) all.set(name, value);
  return new Response([204, 205].includes(status) ? null : body, { status, headers: all });
}

type Receipt = ReturnType<typeof toReceiptResponse>["receipt"];

/** 200 when all have ended, 500 when one of them failed, 202 while one is queued or runs. */
async function respondWithResults(
  receipt: Receipt,
  deployments: readonly Deployment[],
  { store }: AnswerServices,
): Promise<AnsweredDelivery> {
  const haveEnded = deployments.every(({ state }) => hasEnded(state));
  const hasFailed = deployments.some(({ state }) => state === "failed");
  const status = haveEnded && hasFailed ? "failed" : receipt.status;
  const results = await Promise.all(
    deployments.map(async (deployment) => ({
      id: deployment.id,
      target: deployment.target,
      ...toApiResult(deployment),
      output: (await store.readOutput(deployment.id, MAX_OUTPUT)).map((line) => `${line}\n`).join(""),
    })),
  );
  const code = haveEnded ? (hasFailed ? 500 : 200) : 202;
  return { response: respond(code, { ...receipt, status, deployments: results }), status };
}

/**
 * The receipt as an event `delivery`, then the output of one deployment after another: an event `deployment`, an event
 * `line` for each line, and an event `end` with the result.
 */
async function* streamDeployments(
  receipt: Receipt,
  ids: readonly number[],
  services: AnswerServices,
  signal: AbortSignal,
): AsyncGenerator<readonly StreamedEvent[]> {
  yield [{ id: null, event: "delivery", data: JSON.stringify(receipt) }];
  for (const id of ids) {
    const target = receipt.deployments?.find((deployment) => deployment.id === id)?.target;
    yield [{ id: null, event: "deployment", data: JSON.stringify({ id, target }) }];
    for await (const each of followOutput(id, -1, services, signal)) {
      yield each.kind === "lines"
        ? each.lines.map(({ text }) => ({ id: null, event: "line", data: text }))
        : [{ id: null, event: "end", data: JSON.stringify(toApiEnd(each.deployment)) }];
    }
  }
}
