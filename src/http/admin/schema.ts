import { type TSchema, Type } from "@sinclair/typebox";
import { Elysia } from "elysia";

/**
 * The vocabulary of the admin API's schemas. `expected` completes "expected …" where a request does not fit.
 */

/** A whole number from 1. */
export const Id = Type.Integer({ minimum: 1 });

/** RFC 3339, in UTC. */
export const Time = Type.String({ format: "date-time" });

/** A whole number from 1 in a path or a query. */
export const IdText = Type.String({ pattern: "^[1-9]\\d{0,15}$", expected: "a whole number from 1" });

/** A name in a path or a query. What it names may be gone from the configuration. */
export const NameText = Type.String({ minLength: 1, maxLength: 200, expected: "a name" });

/** One line of text by a person, such as a reason. */
export const Line = Type.String({
  pattern: "^[^\\u0000-\\u001f\\u007f]{1,500}$",
  expected: "a line of 1 to 500 characters",
});

/** The value or null. The description moves to the union, since a generator merges what is inside. */
export function orNull<Schema extends TSchema>(schema: Schema) {
  const { description } = schema;
  return Type.Union([schema, Type.Null()], description === undefined ? {} : { description });
}

/** Exactly one of the words. */
export function oneOf<Word extends string>(words: readonly Word[]) {
  const literals = words.map((word) => Type.Literal(word));
  return Type.Unsafe<Word>(Type.Union(literals, { expected: `one of ${words.join(", ")}` }));
}

/** One of a list of codes. The description explains each. */
export function codeOf<Code extends string>(codes: Readonly<Record<Code, string>>) {
  const entries = Object.entries<string>(codes);
  const description = entries.map(([code, sentence]) => `- \`${code}\`: ${sentence}`).join("\n");
  return Type.Unsafe<Code>(
    Type.Union(
      entries.map(([code]) => Type.Literal(code)),
      { description },
    ),
  );
}

/** What a request may contain: an unknown name is a mistake, never ignored. */
export function Input<Properties extends Record<string, TSchema>>(properties: Properties) {
  return Type.Object(properties, { additionalProperties: false, expected: "a JSON object" });
}

/** The query of a route that takes no parameter. */
export const NO_QUERY = Input({});

/** Nothing can be stored now, or the server is stopping. */
export const Unavailable = problem("The store cannot be used now, or the server is stopping");

/** The problems that every request can have. */
export const COMMON_PROBLEMS = {
  401: problem("The token is missing or wrong"),
  421: problem("The Host header is not one of this listener"),
  422: problem("A parameter or the body is not as described; the reason names it"),
  500: problem("Internal error; the log has it under the same id"),
  503: Unavailable,
} as const;

/** Nothing has this name or id. */
export const NotFound = problem("Not found");

/** It exists, but in a state in which this cannot be done; the reason says why. */
export const Conflict = problem("Conflict with the current state");

function problem(description: string) {
  return Type.Object(
    { status: Type.String(), reason: Type.Optional(Type.String()), id: Type.Optional(Type.String()) },
    { description },
  );
}

/** The responses of a route that does not respond with JSON, for the description alone: the framework checks none. */
export function describeResponses(
  description: string,
  mediaTypes: readonly string[],
  problems: Readonly<Record<number, TSchema>> = {},
) {
  const good = { description, content: contentOf(mediaTypes, Type.String()) };
  const others = Object.entries({ ...problems, ...COMMON_PROBLEMS }).map(([code, schema]) => [
    code,
    { description: schema.description ?? "", content: contentOf(["application/json"], schema) },
  ]);
  return { 200: good, ...Object.fromEntries(others) };
}

function contentOf(mediaTypes: readonly string[], schema: TSchema) {
  return Object.fromEntries(mediaTypes.map((mediaType) => [mediaType, { schema }]));
}

/**
 * Creates an empty set of routes. Nothing is dropped silently: an unknown name in a request is refused, and a response
 * with a field that its schema does not have is an internal error.
 */
export function createRoutes() {
  return new Elysia({ strictPath: true, normalize: false });
}
