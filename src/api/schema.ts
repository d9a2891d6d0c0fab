import { FormatRegistry, type TSchema, Type } from "@sinclair/typebox";

/**
 * The vocabulary of the admin API's schemas. The server checks its responses with them, and the command line checks what
 * it receives. An enumeration lists its words for the OpenAPI document, but any string passes the check: a newer server
 * may send more words.
 */

/** A whole number from 1. */
export const Id = Type.Integer({ minimum: 1 });

// TypeBox rejects a format that is not registered.
if (!FormatRegistry.Has("date-time")) {
  FormatRegistry.Set("date-time", (text) => !Number.isNaN(Date.parse(text)));
}

/** RFC 3339, in UTC. */
export const Time = Type.String({ format: "date-time" });

/** The value or null. */
export function nullable<Schema extends TSchema>(schema: Schema, description?: string) {
  const { enum: words } = schema;
  const member: Schema = {
    ...schema,
    // The OpenAPI document has the union as one type. Its words must include null.
    ...(Array.isArray(words) && { enum: [...words, null] }),
    ...(description !== undefined && { description }),
  };
  return Type.Union([member, Type.Null()]);
}

/** One of the words. */
export function oneOf(words: readonly string[], description?: string) {
  return Type.String({ enum: [...words], ...(description !== undefined && { description }) });
}

/** One of a list of codes. The description explains each. */
export function codeOf(codes: Readonly<Record<string, string>>, description: string) {
  const lines = Object.entries(codes).map(([code, sentence]) => `- \`${code}\`: ${sentence}`);
  return oneOf(Object.keys(codes), [description, "", ...lines].join("\n"));
}
