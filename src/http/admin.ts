import { Elysia } from "elysia";
import { parseDeliveryId } from "../domain/delivery.ts";
import type { Log } from "../domain/log.ts";
import type { Secret } from "../domain/secret.ts";
import type { ReplayOutcome } from "../flow/replay.ts";
import { answer, answerDelivery, refuse, refuseMethod } from "./answers.ts";
import { answerFault } from "./faults.ts";

/** What the admin listener works with. */
export interface AdminTools {
  readonly token: Secret;
  /** Whether two texts are equal, in constant time. */
  readonly equal: (a: string, b: string) => boolean;
  readonly replay: (id: number) => Promise<ReplayOutcome>;
  readonly log: Log;
}

/**
 * The admin listener, for the people who run the server: loopback by default, always with the token.
 * Answers one request; `hosts` are the Host headers that are its own, such as `127.0.0.1:9001`.
 */
export function createAdmin(
  tools: AdminTools,
): (request: Request, hosts: readonly string[]) => Promise<Response> {
  const app = new Elysia({ strictPath: true })
    .onError(({ code, error }) =>
      code === "NOT_FOUND" ? refuse("not found") : answerFault(error, tools.log),
    )
    .all(
      "/api/deliveries/:id/replay",
      async ({ request, params }) => {
        if (request.method !== "POST") return refuseMethod(["POST"]);
        const id = parseDeliveryId(params.id);
        return id === null ? refuse("not found") : answerReplay(await tools.replay(id));
      },
      { parse: "none" },
    );
  const answerRequest = app.compile().fetch;
  return async (request, hosts) => refuseStranger(request, hosts, tools) ?? answerRequest(request);
}

/**
 * Why a request is not let in, or null. A page that somebody else's DNS name brought to a browser on this machine
 * has that name in Host (DNS rebinding), and no token.
 */
function refuseStranger(
  request: Request,
  hosts: readonly string[],
  { token, equal, log }: AdminTools,
): Response | null {
  if (!hosts.includes(request.headers.get("host") ?? "")) return refuse("misdirected request");
  const [, shown] = /^bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "") ?? [];
  if (shown !== undefined && equal(shown, token.reveal())) return null;
  log.warn({}, "refused a request to the admin listener: wrong token");
  return refuse("not authorised", { reason: "send the admin token as Authorization: Bearer" });
}

function answerReplay(outcome: ReplayOutcome): Response {
  if (outcome.kind === "unknown delivery")
    return refuse("not found", { reason: "there is no such delivery" });
  if (outcome.kind === "unreadable") return answer(409, { status: "not replayable", reason: outcome.reason });
  return answerDelivery(outcome);
}
