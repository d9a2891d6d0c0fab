import { declaresMoreThan, readBody } from "../body.ts";
import type { BodyBudget } from "../body-budget.ts";
import { isAcceptedMediaType } from "../media-type.ts";
import { respondRefused } from "../responses.ts";

/** The largest body that is read, in bytes. */
const MAX_BODY = 64 * 1024;

/** Who sends a body here has shown the token: nothing has to be held back for others. */
const VERIFIED: BodyBudget = {
  hold: () => ({ add: () => true, release() {} }),
  isScarce: () => false,
};

/** Thrown while a body is read: the answer that the sender gets instead. */
export class BodyRefused extends Error {
  constructor(readonly answer: Response) {
    super("the body was refused");
  }
}

/** Reads a JSON body; none at all counts as `{}`. Throws {@link BodyRefused}. */
export async function readJsonBody({ request }: { request: Request }): Promise<unknown> {
  const { headers } = request;
  if (declaresMoreThan(MAX_BODY, headers)) throw new BodyRefused(respondRefused("payload too large"));
  const body = await readBody(request, MAX_BODY, VERIFIED);
  if (body.kind === "too large") throw new BodyRefused(respondRefused("payload too large"));
  if (body.kind !== "read") throw invalid("the body is not complete");
  if (body.bytes.length === 0) return {};
  if (
    headers.has("content-encoding") ||
    !isAcceptedMediaType(headers.get("content-type"), ["application/json"])
  ) {
    throw new BodyRefused(
      respondRefused("unsupported media type", { reason: "send application/json, unencoded" }),
    );
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body.bytes));
  } catch {
    throw invalid("the body is not JSON");
  }
}

/** How a route takes its body. The second word is never reached: it tells the description what is sent. */
export const JSON_BODY = [readJsonBody, "json" as const];

function invalid(reason: string): BodyRefused {
  return new BodyRefused(respondRefused("invalid payload", { reason }));
}
