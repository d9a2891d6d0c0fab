import { type TSchema, Type } from "@sinclair/typebox";
import { DEFAULT_PAGE, MAX_PAGE, type PageRange } from "../../domain/page.ts";
import { DurationSetting } from "../../lib/schema.ts";
import { declaresMoreThan, isAcceptedContent } from "../body.ts";
import { respondProblem } from "../responses.ts";

/** The schemas of requests. `expected` completes "expected …" in the reason of a 422. */

/** An id in a path or a query. */
export const IdText = Type.String({ pattern: "^[1-9]\\d{0,15}$", expected: "a whole number from 1" });

/** A name in a path or a query. It may be gone from the configuration. */
export const NameText = Type.String({ pattern: "^[^\\u0000]{1,200}$", expected: "a name" });

/** One line of text, such as a reason. */
export const Line = Type.String({
  pattern: "^[^\\u0000-\\u001f\\u007f]{1,500}$",
  expected: "a line of 1 to 500 characters",
});

/** A duration as text. The framework would decode a {@link DurationSetting}, but describe the wrong type. */
export const DurationText = Type.String({
  pattern: DurationSetting.pattern,
  expected: DurationSetting.expected,
});

/** Exactly one of the words. */
export function choiceOf<Word extends string>(words: readonly Word[]) {
  const literals = words.map((word) => Type.Literal(word));
  return Type.Unsafe<Word>(Type.Union(literals, { expected: `one of ${words.join(", ")}` }));
}

/** The fields of a query or a body. An unknown field is an error. */
export function Input<Properties extends Record<string, TSchema>>(properties: Properties) {
  return Type.Object(properties, { additionalProperties: false, expected: "a JSON object" });
}

/** The query parameters of every list. */
export const PAGE_QUERY = {
  limit: Type.Optional(
    Type.String({
      pattern: "^(?:[1-9]\\d?|[1-4]\\d\\d|500)$",
      expected: `a whole number from 1 to ${MAX_PAGE}`,
      description: `a whole number from 1 to ${MAX_PAGE}; default ${DEFAULT_PAGE}`,
    }),
  ),
  before: Type.Optional(IdText),
};

/** The part of a list that a query requests. */
export function readRange({ limit, before }: { limit?: string; before?: string }): PageRange {
  return {
    limit: limit === undefined ? DEFAULT_PAGE : Number(limit),
    before: before === undefined ? null : Number(before),
  };
}

/** The options of a route that takes a JSON body with these fields. */
export function jsonBody<Properties extends Record<string, TSchema>>(properties: Properties) {
  // The framework never reaches the second parser. It makes the OpenAPI document name the type.
  return { parse: [readJsonBody, "json" as const], body: Input(properties) };
}

/** In bytes. The admin listener's runtime stops reading soon after. */
const MAX_BODY = 64 * 1024;

/** Thrown while a body is read, with the response to send. */
export class BodyRefused extends Error {
  constructor(readonly response: Response) {
    super("the body was refused");
  }
}

/** Reads a JSON body; an empty one counts as `{}`. Rejects with {@link BodyRefused}. */
export async function readJsonBody({ request }: { request: Request }): Promise<unknown> {
  const { headers } = request;
  if (declaresMoreThan(MAX_BODY, headers)) throw new BodyRefused(respondProblem("payload too large"));
  const bytes = await request.bytes().catch(() => throwInvalid("the body is not complete"));
  if (bytes.length > MAX_BODY) throw new BodyRefused(respondProblem("payload too large"));
  if (bytes.length === 0) return {};
  if (!isAcceptedContent(headers, ["application/json"])) {
    const reason = "send application/json, unencoded";
    throw new BodyRefused(respondProblem("unsupported media type", { reason }));
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return throwInvalid("the body is not JSON");
  }
}

function throwInvalid(reason: string): never {
  throw new BodyRefused(respondProblem("invalid payload", { reason }));
}
