import { declaresMoreThan, readBody } from "../body.ts";
import type { BodyBudget } from "../body-budget.ts";
import { isAcceptedMediaType } from "../media-type.ts";
import { respondProblem } from "../responses.ts";

/** The largest body that is read, in bytes. */
const MAX_BODY = 64 * 1024;

/** Whoever sends a body here has shown the token. */
const UNLIMITED: BodyBudget = {
  reserve: () => ({ add: () => true, release() {} }),
  isScarce: () => false,
};

/** Thrown while a body is read. Carries the response that the sender gets. */
export class BodyRefused extends Error {
  constructor(readonly response: Response) {
    super("the body was refused");
  }
}

/** Reads a JSON body; none at all counts as `{}`. Throws {@link BodyRefused}. */
export async function readJsonBody({ request }: { request: Request }): Promise<unknown> {
  const { headers } = request;
  if (declaresMoreThan(MAX_BODY, headers)) throw new BodyRefused(respondProblem("payload too large"));
  const body = await readBody(request, MAX_BODY, UNLIMITED);
  if (body.kind === "too large") throw new BodyRefused(respondProblem("payload too large"));
  if (body.kind !== "read") throw invalid("the body is not complete");
  if (body.bytes.length === 0) return {};
  if (
    headers.has("content-encoding") ||
    !isAcceptedMediaType(headers.get("content-type"), ["application/json"])
  ) {
    throw new BodyRefused(
      respondProblem("unsupported media type", { reason: "send application/json, unencoded" }),
    );
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body.bytes));
  } catch {
    throw invalid("the body is not JSON");
  }
}

/** How a route parses its body. The second parser is never reached: it makes the description name the type. */
export const JSON_BODY = [readJsonBody, "json" as const];

function invalid(reason: string): BodyRefused {
  return new BodyRefused(respondProblem("invalid payload", { reason }));
}
